/** How curves are drawn: what uPlot is told, and what is painted over its picture. */

import { degrees, measured, plain } from "./format.js";
import { zoom } from "./svg.js";
import { tickLabels } from "./ticks.js";

/** @typedef {import("./points.js").Curve} Curve */
/** @typedef {import("./episodes.js").Ended} Ended */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("uplot")} Plot */

/**
 * One curve of the picture.
 * @typedef {object} Line
 * @property {number} color from 0
 * @property {Curve} curve
 * @property {string} unit that its values are shown in
 */

/**
 * @typedef {object} Scene
 * @property {Line[]} lines
 * @property {Language} language
 * @property {() => {width: number, height: number}} size
 * @property {() => [number, number]} span in seconds
 * @property {(unit: string) => [number, number]} range of the values of a unit
 * @property {() => {value: number, unit: string, text: string}[]} limits
 * @property {() => {name: string, episodes: Ended[]}[]} actuators
 * @property {() => void} onCursor
 * @property {(from: number, until: number) => void} onSelect
 */

/** Colours that everybody tells apart; the strokes differ as well. */
export const LINES_MAX = 6;
const DASHES = [[], [10, 5], [3, 4], [14, 4, 3, 4], [6, 3], [2, 2]];
/** Two axes have their numbers; a third unit is in the legend alone. */
const AXES_MAX = 2;
/** Below this many points each is marked. */
const MARKED_MAX = 80;
/** A press that moves less than that is no drag. */
const DRAG_PIXELS = 8;
const STRIP = 5;
const FONT = "system-ui";

/**
 * What must be the same for the same uPlot to go on.
 * @param {readonly Line[]} lines
 * @param {Language} language
 */
export function shapeOf(lines, language) {
  const parts = lines.map(({ color, curve, unit }) => [
    color,
    unit,
    hasBand(curve),
    curve.points.length < MARKED_MAX,
  ]);
  return JSON.stringify([language, parts]);
}

/**
 * The columns in the order of the series that `plotOptions` makes.
 * @param {readonly Line[]} lines
 * @param {ReturnType<typeof import("./points.js").columns>} columns
 * @returns {import("uplot").AlignedData}
 */
export function plotData(lines, { seconds, values }) {
  return [
    seconds,
    ...lines.flatMap(({ curve }, index) => {
      const found = values[index];
      if (found === undefined) return [];
      return hasBand(curve) ? [found.value, found.max, found.min] : [found.value];
    }),
  ];
}

/**
 * @param {Scene} scene
 * @returns {import("uplot").Options}
 */
export function plotOptions(scene) {
  const { lines, language } = scene;
  const paint = colors();
  const units = [...new Set(lines.map(({ unit }) => unit))];
  const large = zoom();
  const axis = { stroke: paint.muted, font: `${12 * large}px ${FONT}`, ticks: { show: false } };
  /** @type {import("uplot").Series[]} */
  const series = [{}];
  /** @type {import("uplot").Band[]} */
  const bands = [];
  const values = new Set();
  for (const { color, curve, unit } of lines) {
    const scale = scaleOf(units, unit);
    const stroke = paint.line(color);
    values.add(series.length);
    series.push({
      scale,
      stroke,
      width: 2,
      dash: DASHES[color] ?? [],
      points: { show: curve.points.length < MARKED_MAX, size: 5, fill: stroke },
    });
    if (!hasBand(curve)) continue;
    bands.push({ series: [series.length, series.length + 1], fill: `${stroke}33` });
    const edge = { scale, stroke: `${stroke}55`, width: 1, points: { show: false } };
    series.push(edge, edge);
  }
  /** @type {import("uplot").Scales} */
  const scales = { x: { time: true, range: () => scene.span() } };
  /** @type {import("uplot").Axis[]} */
  const axes = [
    {
      ...axis,
      grid: { stroke: paint.grid, width: 1 },
      space: 72 * large,
      size: 28 * large,
      values: (_, splits, _axis, _space, step) => tickLabels(splits, step, language),
    },
  ];
  for (const [index, unit] of (units.length === 0 ? [""] : units).entries()) {
    const scale = scaleOf(units, unit);
    scales[scale] = { range: () => scene.range(unit) };
    if (index >= AXES_MAX) continue;
    axes.push({
      ...axis,
      scale,
      side: index === 0 ? 3 : 1,
      grid: { show: index === 0, stroke: paint.grid, width: 1 },
      size: 62 * large,
      values: (_, splits) => splits.map((value) => measured(value, plain(unit, 6), language)),
    });
  }
  return {
    ...scene.size(),
    // Room for half a label at the end of either axis.
    padding: [8 * large, 18 * large, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: DRAG_PIXELS },
      points: { size: (_, index) => (values.has(index) ? 9 : 0) },
    },
    scales,
    axes,
    series,
    bands,
    hooks: {
      draw: [(plot) => paintOver(plot, scene, units)],
      setCursor: [scene.onCursor],
      setSelect: [(plot) => select(plot, scene)],
    },
  };
}

/** The colours of the picture: those of the style, in light and in dark. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    /** @param {number} index */
    line: (index) => value(`--line-${index}`),
    grid: value("--line"),
    muted: value("--muted"),
    limit: value("--limit"),
    led: value("--led"),
    panel: value("--panel"),
    text: value("--text"),
  };
}

/**
 * A finger does what the mouse does: drawn sideways it chooses a stretch; up and down it scrolls the page.
 * @param {Plot} plot
 */
export function takeTouch(plot) {
  /** @type {{id: number, left: number} | null} */
  let begun = null;
  /** @param {PointerEvent} event */
  const left = (event) => event.clientX - plot.over.getBoundingClientRect().left;
  plot.over.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") return;
    begun = { id: event.pointerId, left: left(event) };
  });
  plot.over.addEventListener("pointermove", (event) => {
    if (begun?.id !== event.pointerId) return;
    const [from, until] = [begun.left, left(event)].sort((a, b) => a - b);
    if (from === undefined || until === undefined) return;
    const height = plot.over.clientHeight;
    plot.setSelect({ left: from, width: until - from, top: 0, height }, false);
  });
  const end = (/** @type {PointerEvent} */ event) => {
    if (begun?.id !== event.pointerId) return;
    const isDrag = Math.abs(left(event) - begun.left) >= DRAG_PIXELS;
    begun = null;
    plot.setSelect({ ...plot.select }, event.type === "pointerup" && isDrag);
  };
  plot.over.addEventListener("pointerup", end);
  plot.over.addEventListener("pointercancel", end);
}

/** @param {Curve} curve */
function hasBand(curve) {
  return curve.points.some(({ count }) => count > 1);
}

/**
 * @param {readonly string[]} units
 * @param {string} unit
 */
function scaleOf(units, unit) {
  return `y${Math.max(0, units.indexOf(unit))}`;
}

/**
 * @param {Plot} plot
 * @param {Scene} scene
 */
function select(plot, scene) {
  const { left, width } = plot.select;
  if (width < DRAG_PIXELS) return;
  const [from, until] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  scene.onSelect(from, until);
}

/**
 * The thresholds as lines, and when the actuators were on: a shade, and a strip for each below.
 * @param {Plot} plot
 * @param {Scene} scene
 * @param {readonly string[]} units
 */
function paintOver(plot, scene, units) {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const scale = devicePixelRatio * zoom();
  const paint = colors();
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  const actuators = scene.actuators();
  for (const [index, { episodes }] of actuators.entries()) {
    const y = top + height - (actuators.length - index) * STRIP * scale * 1.4;
    for (const { from, until } of episodes) {
      const x = plot.valToPos(from, "x", true);
      const wide = Math.max(plot.valToPos(until, "x", true) - x, scale);
      ctx.fillStyle = paint.led;
      ctx.globalAlpha = 0.1;
      if (index === 0) ctx.fillRect(x, top, wide, height);
      ctx.globalAlpha = 1;
      ctx.fillRect(x, y, wide, STRIP * scale);
    }
  }
  ctx.strokeStyle = paint.limit;
  ctx.fillStyle = paint.limit;
  ctx.lineWidth = scale;
  ctx.setLineDash([5 * scale, 4 * scale]);
  ctx.font = `${11 * scale}px ${FONT}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  for (const { value, unit, text } of scene.limits()) {
    if (!units.includes(unit)) continue;
    const y = plot.valToPos(value, scaleOf(units, unit), true);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
    ctx.fillText(text, left + 6 * scale, y - 2 * scale);
  }
  ctx.restore();
}

/**
 * A value as the chart says it.
 * @param {number} value
 * @param {string} unit
 * @param {Language} language
 */
export function valueText(value, unit, language) {
  return unit === "°C" || unit === "°F"
    ? `${degrees(value, language)} ${unit}`
    : measured(value, plain(unit), language);
}
