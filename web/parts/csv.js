/**
 * Cells that a spreadsheet takes for what they are. Pure.
 *
 * A text that would be taken for a formula gets an apostrophe in front, as `mtom export` does it.
 */

/** What a formula begins with, also in the wide forms of East Asian keyboards. */
const FORMULA = /^[=+\-@\t\r\n'＝＋－＠]/u;
const QUOTED = /[",;\t\r\n]|^ | $/;

/** @param {string | number | null} value null: an empty cell */
export function cell(value) {
  if (value === null) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const text = FORMULA.test(value) ? `'${value}` : value;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * @param {readonly (readonly (string | number | null)[])[]} rows the head is the first
 */
export function csv(rows) {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
