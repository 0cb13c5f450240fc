/**
 * The chart's picture: keeps a uPlot in step with the curves, and knows where its cursor is.
 *
 * `cargo xtask vendor` fetches uPlot. A build without it draws nothing, and the words below say so.
 */

import { byId, el, setShown } from "./dom.js";
import { plotData, plotOptions, shapeOf, takeTouch } from "./plot.js";
import { axisRange, columns, extent } from "./points.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./curves.js").Shown} Shown */
/** @typedef {ReturnType<typeof createPicture>} Picture */
/** @typedef {typeof import("uplot")} UPlot */

/** Pictures come no faster than that. */
const DRAW_MILLIS = 200;

const LIBRARY = "../vendor/uplot.js";
const LIBRARY_STYLE = "../vendor/uplot.css";

/**
 * @param {Page} page
 * @param {object} host
 * @param {import("./curves.js").Curves} host.curves
 * @param {() => [number, number]} host.sight the span, in seconds
 * @param {() => boolean} host.isLive
 * @param {() => void} host.onDrawn
 * @param {() => void} host.onCursor
 * @param {(from: number, until: number) => void} host.onSelect
 */
export function createPicture(page, { curves, sight, isLive, onDrawn, onCursor, onSelect }) {
  const place = byId("chart");
  /** @type {UPlot | null} */
  let library = null;
  /** @type {"coming" | "here" | "missing"} */
  let state = "coming";
  /** @type {import("uplot") | null} */
  let plot = null;
  let shape = "";
  /** Nothing in it has changed but the time. */
  let isDrawn = false;
  let drawnAtMillis = 0;
  /** The time that the cursor of the keyboard is at. */
  /** @type {number | null} */
  let cursor = null;

  async function start() {
    try {
      library = (await import(LIBRARY)).default;
      const style = el("link", "");
      style.rel = "stylesheet";
      style.href = new URL(LIBRARY_STYLE, import.meta.url).href;
      document.head.append(style);
    } catch {
      state = "missing";
      setShown(place, false);
      onDrawn();
      return;
    }
    state = "here";
    new ResizeObserver(() => plot?.setSize(size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuild);
    rebuild();
  }

  /** Moves the picture on. */
  function draw() {
    if (plot === null) return;
    const lines = curves.shown();
    if (shapeOf(lines, page.language) !== shape) return rebuild();
    drawnAtMillis = performance.now();
    if (isDrawn && !isLive()) return;
    if (isDrawn) plot.redraw(false, true);
    else plot.setData(dataOf(lines));
    isDrawn = true;
    if (cursor !== null) pointAt(cursor);
    onDrawn();
  }

  /** The span is another one. */
  function renew() {
    isDrawn = false;
    draw();
  }

  /** The curves have grown. Where many readings come the clock draws them together. */
  function grow() {
    isDrawn = false;
    if (performance.now() - drawnAtMillis > DRAW_MILLIS) draw();
  }

  function rebuild() {
    if (library === null) return;
    const lines = curves.shown();
    shape = shapeOf(lines, page.language);
    plot?.destroy();
    place.querySelector(".uplot")?.remove();
    const { language } = page;
    const { limits, driven: actuators } = curves;
    const scene = { lines, language, size, span: sight, range, limits, actuators };
    plot = new library(plotOptions({ ...scene, onCursor, onSelect }), dataOf(lines), place);
    takeTouch(plot);
    isDrawn = true;
    onDrawn();
  }

  /** @param {Shown[]} lines */
  function dataOf(lines) {
    const all = lines.map(({ curve }) => curve);
    const convert = lines[0]?.convert ?? ((/** @type {number} */ value) => value);
    return plotData(lines, columns(all, convert));
  }

  /** @param {string} unit */
  function range(unit) {
    const [from, until] = sight();
    const found = curves
      .shown()
      .filter((line) => line.unit === unit)
      .flatMap(({ curve, convert }) => {
        const reach = extent(curve.points, from, until);
        return reach === null ? [] : [convert(reach.low, curve), convert(reach.high, curve)];
      });
    const reach = found.length === 0 ? null : { low: Math.min(...found), high: Math.max(...found) };
    const near = curves.limits().filter((limit) => limit.unit === unit);
    return axisRange(
      reach,
      near.map(({ value }) => value),
    );
  }

  function size() {
    return { width: Math.max(200, place.clientWidth), height: Math.max(150, place.clientHeight) };
  }

  /** @param {number | null} seconds */
  function pointAt(seconds) {
    cursor = seconds;
    if (plot === null) return;
    const left = seconds === null ? -10 : plot.valToPos(seconds, "x");
    plot.setCursor({ left, top: seconds === null ? -10 : plot.over.clientHeight / 2 });
  }

  return {
    start,
    draw,
    renew,
    grow,
    rebuild,
    pointAt,
    state: () => state,
    plot: () => plot,
    /** Where the keyboard has put the cursor. */
    cursor: () => cursor,
    /** The time that is pointed at, by whatever; null: none. */
    pointed() {
      const left = plot?.cursor.left ?? -1;
      return plot === null || left < 0 ? null : (cursor ?? plot.posToVal(left, "x"));
    },
  };
}
