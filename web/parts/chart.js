/**
 * The chart: the present and the past of one series or several, with what the rules made of them.
 *
 * The gateway picks what the points of a span are made of: readings, or sums of minutes, hours or days.
 * A new span is shown at once with what is there already, and anew when its points have come.
 *
 * Drawn by uPlot, which `cargo xtask vendor` fetches. A build without it says so and draws nothing.
 */

import { chart as askChart } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { actuatorsOf, loadEpisodes } from "./driven.js";
import { cutTo, onSeconds } from "./episodes.js";
import { age, clock, measured, number, plain, stamp } from "./format.js";
import { moveByKeys } from "./keys.js";
import { createLegend, nameOf } from "./legend.js";
import { plotData, plotOptions, shapeOf, takeTouch, valueText } from "./plot.js";
import {
  axisRange,
  columns,
  curveOf,
  emptyCurve,
  extent,
  grown,
  nearest,
  PLACES,
} from "./points.js";
import { savePicture, saveTable } from "./save.js";
import { chosen, edges, isLive, PRESETS, panned, zoomed } from "./span.js";
import { seedTimes, selected, seriesKey } from "./state.js";
import { thresholds, valueOn } from "./threshold.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./points.js").Curve} Curve */
/** @typedef {import("./points.js").Point} Point */
/** @typedef {import("./plot.js").Line} Line */
/** @typedef {import("./span.js").Span} Span */
/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {typeof import("uplot")} UPlot */

/** Pictures come no faster than that. */
const DRAW_MILLIS = 200;
/** Steps that can be gone back. */
const BACK_LEN_MAX = 50;
/** Readings that wait for the points of their span. */
const WAITING_LEN_MAX = 5_000;
const ZOOM = 2;
const PAN = 0.25;
/** How late the page may know what time it is at the gateway. */
const CLOCK_SECONDS = 1;
const DAY_SECONDS = 86_400;

const LIBRARY = "../vendor/uplot.js";
const LIBRARY_STYLE = "../vendor/uplot.css";

/** @param {Page} page */
export function createChart(page) {
  const place = byId("chart");
  const note = byId("chart-note");
  const readout = byId("chart-readout");
  /** @type {UPlot | null} */
  let library = null;
  /** @type {import("uplot") | null} */
  let plot = null;
  let shape = "";
  /** @type {Span} */
  let span = { seconds: 600 };
  /** @type {Span[]} */
  let back = [];
  /** @type {Map<string, Curve>} */
  let curves = new Map();
  /** @type {import("./driven.js").Driven[]} */
  let driven = [];
  /** Readings that came while the points of the span are on their way; null: they are there. */
  /** @type {Reading[] | null} */
  let waiting = null;
  let loading = new AbortController();
  /** @type {string | null} */
  let failure = null;
  let isDrawn = false;
  let drawnAtMillis = 0;
  /** The time that the cursor of the keyboard is at. */
  /** @type {number | null} */
  let cursor = null;

  const legend = createLegend(page, () => void load());
  const presets = PRESETS.map(({ key, seconds }) => {
    const button = el("button", "");
    button.type = "button";
    button.addEventListener("click", () => go({ seconds }));
    return { key, seconds, button };
  });
  byId("chart-windows").replaceChildren(...presets.map(({ button }) => button));

  const now = () => (page.nowMillis() + page.model.skewMillis) / 1_000;
  const sight = () => edges(span, now());

  byId("chart-back").addEventListener("click", goBack);
  byId("chart-live").addEventListener("click", reset);
  byId("chart-in").addEventListener("click", () => zoom(1 / ZOOM));
  byId("chart-out").addEventListener("click", () => zoom(ZOOM));
  byId("chart-earlier").addEventListener("click", () => go(panned(span, now(), -PAN)));
  byId("chart-later").addEventListener("click", () => go(panned(span, now(), PAN)));
  byId("chart-csv").addEventListener("click", () => saveTable(page, shown()));
  byId("chart-png").addEventListener("click", () => void savePicture(page, plot, shown(), sight()));
  place.addEventListener("dblclick", reset);
  moveByKeys(place, {
    pan: (steps) => go(panned(span, now(), steps * PAN)),
    zoom: (isCloser) => zoom(isCloser ? 1 / ZOOM : ZOOM),
    back: () => (cursor === null ? goBack() : pointAt(null)),
    reset,
    step,
  });
  document.addEventListener("visibilitychange", () => {
    // A page that nobody looks at is painted by nobody, and what came meanwhile may be too much.
    if (document.visibilityState === "visible" && isLive(span)) void load();
  });

  async function start() {
    try {
      library = (await import(LIBRARY)).default;
      const style = el("link", "");
      style.rel = "stylesheet";
      style.href = new URL(LIBRARY_STYLE, import.meta.url).href;
      document.head.append(style);
    } catch {
      setShown(note, true);
      setText(note, page.t("chart.missing"));
      setShown(place, false);
      return;
    }
    new ResizeObserver(() => plot?.setSize(size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuild);
    rebuild();
  }

  /** @param {Span} next */
  function go(next) {
    if (JSON.stringify(next) === JSON.stringify(span)) return;
    back = [...back, span].slice(-BACK_LEN_MAX);
    moveTo(next);
  }

  function goBack() {
    const before = back.pop();
    if (before !== undefined) moveTo(before);
  }

  function reset() {
    const first = back.findLast(isLive) ?? { seconds: 600 };
    back = [];
    if (!isLive(span)) moveTo(first);
  }

  /** @param {number} factor */
  function zoom(factor) {
    go(zoomed(span, now(), factor, cursor));
  }

  /** @param {Span} next */
  function moveTo(next) {
    span = next;
    isDrawn = false;
    say();
    draw();
    void load();
  }

  /** Loads the span of the series anew. */
  async function load() {
    loading.abort();
    loading = new AbortController();
    const { signal } = loading;
    legend.follow();
    const wanted = legend.entries().flatMap(({ key, isHidden }) => {
      const series = page.model.series.get(key);
      return isHidden || series === undefined ? [] : [series];
    });
    const [from, until] = sight();
    waiting = [];
    place.setAttribute("aria-busy", "true");
    try {
      const found = await Promise.all(
        wanted.map(async ({ key, latest: { device, quantity } }) => {
          const asked = { device, quantity, from, until, points: places() };
          return /** @type {const} */ ([key, await askChart(asked, signal)]);
        }),
      );
      if (signal.aborted) return;
      curves = new Map(found.map(([key, chart]) => [key, curveOf(chart, from, until)]));
      for (const [key, chart] of found) {
        if (chart.level === "raw")
          seedTimes(
            page.model,
            key,
            chart.points.map((p) => p.at_micros),
          );
      }
      failure = null;
    } catch (error) {
      if (signal.aborted) return;
      failure = error instanceof Error ? error.message : String(error);
    }
    const came = waiting ?? [];
    waiting = null;
    place.removeAttribute("aria-busy");
    take(came);
    isDrawn = false;
    rebuild();
    await loadDriven(signal);
  }

  /** @param {AbortSignal} [signal] */
  async function loadDriven(signal = loading.signal) {
    const topic = selected(page.model)?.latest.topic;
    const names = topic === undefined ? [] : actuatorsOf(page.model.rules, topic);
    const [from, until] = sight();
    try {
      // By the gateway's clock it may be a little later, and what has just begun is asked for too.
      const end = isLive(span) ? until + CLOCK_SECONDS : until;
      const found = await loadEpisodes(names, from, end, signal);
      if (signal.aborted) return;
      driven = found;
    } catch {
      // The curves are worth more than their shades; the next span asks again.
      return;
    }
    draw();
    say();
  }

  /** @param {readonly Reading[]} fresh */
  function add(fresh) {
    if (waiting !== null) {
      waiting.push(...fresh);
      waiting.splice(0, waiting.length - WAITING_LEN_MAX);
      return;
    }
    if (!take(fresh)) return;
    // Where many come the clock draws them together.
    if (performance.now() - drawnAtMillis > DRAW_MILLIS) draw();
  }

  /** @param {readonly Reading[]} fresh */
  function take(fresh) {
    if (!isLive(span)) return false;
    const [from, until] = sight();
    let isTaken = false;
    for (const { key } of legend.entries()) {
      const mine = fresh.filter((reading) => seriesKey(reading) === key);
      const curve = curves.get(key);
      if (mine.length === 0 || curve === undefined) continue;
      curves.set(key, grown(curve, mine, from, (until - from) / PLACES));
      isTaken = true;
    }
    if (isTaken) isDrawn = false;
    return isTaken;
  }

  /** What is in the picture: the lines with their names. */
  function shown() {
    return legend.entries().flatMap(({ key, color, isHidden }) => {
      const series = page.model.series.get(key);
      if (isHidden || series === undefined) return [];
      const curve = curves.get(key) ?? emptyCurve();
      return [
        { key, color, curve, unit: unitOf(curve), series, name: nameOf(series), convert: inUnit },
      ];
    });
  }

  /** @param {Curve} curve */
  const unitOf = ({ unit }) => (unit === "°C" ? `°${page.unit}` : unit);

  /**
   * @param {number} value
   * @param {Curve} curve
   */
  function inUnit(value, { unit }) {
    return unit === "°C" && page.unit === "F" ? value * 1.8 + 32 : value;
  }

  /** Moves the picture on. */
  function draw() {
    if (plot === null) return;
    const lines = shown();
    if (shapeOf(lines, page.language) !== shape) return rebuild();
    drawnAtMillis = performance.now();
    if (isDrawn && !isLive(span)) return;
    if (isDrawn) plot.redraw(false, true);
    else
      plot.setData(
        plotData(
          lines,
          columns(
            lines.map(({ curve }) => curve),
            inUnit,
          ),
        ),
      );
    isDrawn = true;
    if (cursor !== null) pointAt(cursor);
    say();
  }

  function rebuild() {
    if (library === null) return;
    const lines = shown();
    shape = shapeOf(lines, page.language);
    plot?.destroy();
    place.querySelector(".uplot")?.remove();
    const data = plotData(
      lines,
      columns(
        lines.map(({ curve }) => curve),
        inUnit,
      ),
    );
    plot = new library(plotOptions(scene(lines)), data, place);
    takeTouch(plot);
    isDrawn = true;
    say();
  }

  /**
   * @param {Line[]} lines
   * @returns {import("./plot.js").Scene}
   */
  function scene(lines) {
    return {
      lines,
      language: page.language,
      size,
      span: sight,
      range: (unit) => rangeOf(unit),
      limits,
      actuators: drivenNow,
      onCursor: sayCursor,
      onSelect: (from, until) => go(chosen(from, until, now())),
    };
  }

  /** @param {string} unit */
  function rangeOf(unit) {
    const [from, until] = sight();
    const found = shown()
      .filter((line) => line.unit === unit)
      .flatMap(({ curve }) => {
        const reach = extent(curve.points, from, until);
        return reach === null ? [] : [inUnit(reach.low, curve), inUnit(reach.high, curve)];
      });
    const reach = found.length === 0 ? null : { low: Math.min(...found), high: Math.max(...found) };
    const near = limits().filter((limit) => limit.unit === unit);
    return axisRange(
      reach,
      near.map(({ value }) => value),
    );
  }

  /** What the actuators did: who is on now is so up to the present, and nobody knows further. */
  function drivenNow() {
    const [from, until] = sight();
    const end = Math.min(until, now());
    return driven.map((one) => ({ ...one, episodes: cutTo(one.episodes, from, end) }));
  }

  /** Where the rules of the first series switch. */
  function limits() {
    const [first] = shown();
    if (first === undefined) return [];
    const { curve, unit, series } = first;
    return thresholds(page.model.rules, series.latest.topic).flatMap((limit) => {
      const stored = valueOn(limit, curve.unit, series.latest.unit);
      if (stored === null) return [];
      const value = inUnit(stored, curve);
      const said = valueText(value, unit, page.language);
      return [{ value, unit, text: page.t(`chart.threshold.${limit.led}`, { value: said }) }];
    });
  }

  function places() {
    return Math.min(PLACES, Math.max(100, Math.round(place.clientWidth * devicePixelRatio)));
  }

  function size() {
    return { width: Math.max(200, place.clientWidth), height: Math.max(150, place.clientHeight) };
  }

  /** Says the cursor's readings, and otherwise what is in the picture. */
  function sayCursor() {
    const left = plot?.cursor.left ?? -1;
    if (plot === null || left < 0) {
      say();
      return;
    }
    const seconds = cursor ?? plot.posToVal(left, "x");
    for (const [index, { key, curve, unit }] of shown().entries()) {
      const point = nearest(curve.points, seconds);
      legend.say(
        key,
        point === null ? "" : valueText(inUnit(point.value, curve), unit, page.language),
      );
      if (index === 0) setText(readout, point === null ? "" : sentence(point, curve));
    }
  }

  /**
   * One point in words: a reading with its number, or what several have in common.
   * @param {Point} point
   * @param {Curve} curve
   */
  function sentence(point, curve) {
    const { t, language } = page;
    const say = (/** @type {number} */ value) =>
      valueText(inUnit(value, curve), unitOf(curve), language);
    const [from, until] = sight();
    const micros = point.seconds * 1e6;
    const time =
      until - from > DAY_SECONDS || !isLive(span) ? stamp(micros, language) : clock(micros);
    if (point.count === 1 && point.id !== null) {
      const id = point.id === 0 ? t("now.unstored") : t("now.reading", { id: point.id });
      return [time, say(point.value), id].join(" · ");
    }
    return t("chart.several", {
      time,
      value: say(point.value),
      low: say(point.min),
      high: say(point.max),
      count: number(point.count, language),
    });
  }

  /**
   * Moves the keyboard's cursor to the next point of the first series.
   * @param {number} by
   */
  function step(by) {
    const [line] = shown();
    if (line === undefined) return;
    const [from, until] = sight();
    const { points } = line.curve;
    const visible = points.filter(({ seconds }) => seconds >= from && seconds <= until);
    const at = visible.findIndex(({ seconds }) => seconds === cursor);
    const next =
      at < 0 ? (by < 0 ? visible.at(-1) : visible[0]) : (visible[at + by] ?? visible[at]);
    if (next === undefined) return;
    pointAt(next.seconds);
    setText(byId("chart-announce"), sentence(next, line.curve));
  }

  /** @param {number | null} seconds */
  function pointAt(seconds) {
    cursor = seconds;
    if (plot === null) return;
    const left = seconds === null ? -10 : plot.valToPos(seconds, "x");
    plot.setCursor({ left, top: seconds === null ? -10 : plot.over.clientHeight / 2 });
  }

  /** The words beside the picture. */
  function say() {
    const { t, language } = page;
    const [from, until] = sight();
    for (const { seconds, button } of presets) {
      button.setAttribute("aria-pressed", String(isLive(span) && span.seconds === seconds));
    }
    byId("chart-live").setAttribute("aria-pressed", String(isLive(span)));
    /** @type {HTMLButtonElement} */
    const backButton = byId("chart-back");
    backButton.disabled = back.length === 0;
    setText(
      byId("chart-range"),
      t("chart.range", { from: stamp(from * 1e6, language), until: stamp(until * 1e6, language) }),
    );
    const lines = shown();
    const [first] = lines;
    setText(byId("chart-level"), first === undefined ? "" : levelText(first.curve));
    sayDriven();
    const found = lines.map(({ curve }) => extent(curve.points, from, until));
    const isEmpty = failure === null && waiting === null && found.every((reach) => reach === null);
    if (library !== null) {
      setShown(note, failure !== null || isEmpty);
      const why = failure === null ? "" : t("chart.failed", { reason: plain(failure, 600) });
      setText(note, why || t("chart.empty"));
    }
    const summary = first === undefined ? "" : summaryText(first, found[0] ?? null);
    const label = `${first?.name ?? t("chart.title")}: ${summary || t("chart.empty")}`;
    if (place.getAttribute("aria-label") !== label) place.setAttribute("aria-label", label);
    if (summary === "" || (plot?.cursor.left ?? -1) < 0) {
      setText(readout, summary);
      for (const line of lines) legend.say(line.key, newestText(line));
    }
  }

  /**
   * Nothing where the span is empty: the numbers of another one are not its own.
   * @param {Line} line
   * @param {ReturnType<typeof extent>} found
   */
  function summaryText({ curve, unit }, found) {
    if (found === null) return "";
    return page.t("chart.summary", {
      low: valueText(inUnit(found.low, curve), unit, page.language),
      high: valueText(inUnit(found.high, curve), unit, page.language),
      count: number(found.count, page.language),
    });
  }

  /**
   * The newest reading where the present is shown, and otherwise the last point of the span.
   * @param {ReturnType<typeof shown>[number]} line
   */
  function newestText({ curve, series, unit }) {
    const { celsius, value } = series.latest;
    const last = isLive(span) ? (celsius ?? value) : curve.points.at(-1)?.value;
    return last === undefined ? "" : valueText(inUnit(last, curve), unit, page.language);
  }

  /** @param {Curve} curve */
  function levelText({ level, width }) {
    const { t, language } = page;
    if (level === "raw") return t("chart.level.raw");
    const span =
      width < DAY_SECONDS ? age(width * 1_000, t) : measured(width / DAY_SECONDS, "d", language);
    return t("chart.level.sums", { span });
  }

  function sayDriven() {
    const { t, language } = page;
    const texts = drivenNow().map(({ name, episodes, isCut }) =>
      t(isCut ? "chart.driven.cut" : "chart.driven", {
        name: plain(name, 60),
        count: number(episodes.length, language),
        span: age(onSeconds(episodes) * 1_000, t),
      }),
    );
    setText(byId("chart-driven"), texts.join(" · "));
  }

  function relabel() {
    for (const { key, button } of presets) setText(button, page.t(`chart.span.${key}`));
    if (library === null && place.hidden) setText(note, page.t("chart.missing"));
    legend.render();
    isDrawn = false;
    rebuild();
    say();
  }

  relabel();
  void start();
  return {
    load,
    add,
    draw,
    relabel,
    loadDriven: () => void loadDriven(),
    offer: legend.offer,
    sight,
  };
}
