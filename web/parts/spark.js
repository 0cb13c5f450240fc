/**
 * A small picture of the last while of one series: a line by time, with a gap where readings are missing,
 * so that silence is seen as such. Pure: the present is an argument.
 */

/** @typedef {{micros: number, value: number}} Spot */

export const WIDTH = 120;
export const HEIGHT = 30;
/** So many usual distances are shown … */
const DISTANCES = 40;
/** … but never less than this … */
const SPAN_MICROS_MIN = 60_000_000;
/** … nor more spots than these; where more come, the newest of neighbours stands for them. */
export const SPOTS_LEN_MAX = 80;
/** A hole of so many usual distances is a gap … */
const GAP_FACTOR = 3.5;
/** … unless it is no wider than what neighbours that stand for many leave between them. */
const GAP_SPACINGS = 3;
/** Noise of that much does not fill the picture. */
const RANGE_MIN = 0.5;

/**
 * How much time the picture shows.
 * @param {number | null} usualMillis between two readings; null: not known
 */
export function spanMicros(usualMillis) {
  return Math.max(SPAN_MICROS_MIN, (usualMillis ?? 0) * 1_000 * DISTANCES);
}

/**
 * Adds a spot in its place and drops what is no longer shown. A spot of the same time is there already.
 * @param {Spot[]} spots in the order of time; changed
 * @param {Spot} spot
 * @param {number} span
 */
export function add(spots, spot, span) {
  let index = spots.length;
  while (index > 0 && (spots[index - 1]?.micros ?? 0) >= spot.micros) index -= 1;
  if (spots[index]?.micros === spot.micros) return;
  const spacing = span / SPOTS_LEN_MAX;
  const [before, earlier] = [spots[index - 1], spots[index - 2]];
  const isCrowded =
    index === spots.length &&
    before !== undefined &&
    earlier !== undefined &&
    spot.micros - earlier.micros < spacing;
  if (isCrowded) spots[index - 1] = spot;
  else spots.splice(index, 0, spot);
  const from = (spots.at(-1)?.micros ?? 0) - span;
  const first = spots.findIndex(({ micros }) => micros >= from);
  spots.splice(0, Math.max(first, spots.length - SPOTS_LEN_MAX));
}

/**
 * The `d` of an SVG path in a picture of `WIDTH` by `HEIGHT` whose right edge is the present.
 * @param {readonly Spot[]} spots
 * @param {number | null} usualMillis
 * @param {number} nowMicros
 */
export function line(spots, usualMillis, nowMicros) {
  const span = spanMicros(usualMillis);
  const until = Math.max(nowMicros, spots.at(-1)?.micros ?? nowMicros);
  const from = until - span;
  const seen = spots.filter(({ micros }) => micros >= from);
  if (seen.length === 0) return "";
  const values = seen.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = Math.max(high - low, RANGE_MIN);
  const middle = (low + high) / 2;
  const gap = Math.max(
    (usualMillis ?? Number.POSITIVE_INFINITY) * 1_000 * GAP_FACTOR,
    (span / SPOTS_LEN_MAX) * GAP_SPACINGS,
  );
  let path = "";
  let before = from;
  for (const { micros, value } of seen) {
    const x = round(((micros - from) / span) * WIDTH);
    const y = round(HEIGHT / 2 - ((value - middle) / range) * (HEIGHT - 4));
    // A spot alone is a dot: a line of no length with round ends.
    path += path === "" || micros - before > gap ? `M${x} ${y}h0` : `L${x} ${y}`;
    before = micros;
  }
  return path;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
