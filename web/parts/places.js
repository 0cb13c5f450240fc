/** Places in a text as the gateway tells them, and as a text field takes them. Pure. */

/** @typedef {import("../wire.d.ts").TextPlace} TextPlace */

/**
 * Where the word is for `setSelectionRange`, which counts UTF-16 units. A place behind the end is the end.
 * @param {string} text
 * @param {TextPlace} place in characters
 * @returns {[number, number]}
 */
export function rangeOf(text, place) {
  const lines = text.split("\n");
  const before = lines.slice(0, place.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const characters = Array.from(lines[place.line - 1] ?? "");
  const units = (/** @type {number} */ count) => characters.slice(0, count).join("").length;
  const start = before + units(place.column - 1);
  const end = before + units(place.column - 1 + place.length);
  return [Math.min(start, text.length), Math.min(end, text.length)];
}

/**
 * The word itself; empty where there is none.
 * @param {string} text
 * @param {TextPlace} place
 */
export function wordAt(text, place) {
  return text.slice(...rangeOf(text, place));
}

/**
 * Which line, from 0, a field of that height should show first so that the place is in its middle.
 * @param {TextPlace} place
 * @param {number} linesShown
 */
export function firstLine(place, linesShown) {
  return Math.max(0, place.line - 1 - Math.floor(linesShown / 2));
}
