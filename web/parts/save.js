/** What the chart shows, as a file: a table for a spreadsheet, or a picture. */

import { csv } from "./csv.js";
import { stamp } from "./format.js";
import { colors } from "./plot.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./plot.js").Line & {series: import("./state.js").Series, name: string, convert: (value: number, curve: import("./points.js").Curve) => number}} Shown */

const HEAD = ["time", "device", "quantity", "value", "unit", "min", "max", "readings", "reading"];
const TEXT_PIXELS = 14;
const LINE_PIXELS = 22;

/**
 * @param {Page} page
 * @param {readonly Shown[]} lines
 */
export function saveTable(page, lines) {
  const text = csv([HEAD, ...lines.flatMap(rowsOf)]);
  // The mark makes spreadsheets read UTF-8.
  save(page, new Blob(["\ufeff", text], { type: "text/csv" }), "csv");
}

/** @param {Shown} line */
export function rowsOf({ curve, series, unit, convert }) {
  const { device, quantity } = series.latest;
  return curve.points.map((point) => [
    new Date(point.seconds * 1_000).toISOString(),
    device,
    quantity,
    rounded(convert(point.value, curve)),
    unit,
    rounded(convert(point.min, curve)),
    rounded(convert(point.max, curve)),
    point.count,
    point.id,
  ]);
}

/**
 * The picture with what its lines are and which time it shows.
 * @param {Page} page
 * @param {import("uplot") | null} plot
 * @param {readonly Shown[]} lines
 * @param {[number, number]} span
 */
export async function savePicture(page, plot, lines, [from, until]) {
  if (plot === null) return;
  const { canvas } = plot.ctx;
  const scale = devicePixelRatio;
  const paint = colors();
  const made = document.createElement("canvas");
  made.width = canvas.width;
  made.height = canvas.height + (lines.length + 1) * LINE_PIXELS * scale;
  const context = made.getContext("2d");
  if (context === null) return;
  context.fillStyle = paint.panel;
  context.fillRect(0, 0, made.width, made.height);
  context.font = `${TEXT_PIXELS * scale}px system-ui`;
  context.textBaseline = "middle";
  context.fillStyle = paint.text;
  const times = [from, until].map((second) => stamp(second * 1e6, page.language));
  let y = (LINE_PIXELS / 2) * scale;
  context.fillText(times.join(" – "), 8 * scale, y);
  for (const { name, color, unit } of lines) {
    y += LINE_PIXELS * scale;
    context.fillStyle = paint.line(color);
    context.fillRect(8 * scale, y - scale, 18 * scale, 3 * scale);
    context.fillStyle = paint.text;
    context.fillText(unit === "" ? name : `${name} (${unit})`, 34 * scale, y);
  }
  context.drawImage(canvas, 0, made.height - canvas.height);
  const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ done) =>
    made.toBlob(done, "image/png"),
  );
  if (blob !== null) save(page, blob, "png");
}

/**
 * @param {Page} page
 * @param {Blob} blob
 * @param {string} extension
 */
function save(page, blob, extension) {
  const time = new Date(page.nowMillis()).toISOString().slice(0, 19).replaceAll(":", "-");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `mtom-${time}.${extension}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/**
 * Without the digits that are only those of a conversion.
 * @param {number} value
 */
function rounded(value) {
  return Number(value.toPrecision(12));
}
