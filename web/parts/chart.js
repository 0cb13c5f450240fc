/**
 * The moving chart: what the history has of the time span, then every reading as it comes.
 *
 * Drawn by uPlot, which `cargo xtask vendor` fetches. A build without it says so and draws nothing.
 */

import { readings } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { clock, converted, measured } from "./format.js";
import { axisRange, columns, extent, merge, pointOf } from "./points.js";
import { seedTimes, selected, seriesKey } from "./state.js";
import { thresholdCelsius } from "./threshold.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./points.js").Point} Point */
/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {typeof import("uplot")} UPlot */

const MINUTES = [2, 10, 60];
const PAGE_LEN = 1_000;
/** What one span loads at most; where readings come faster than that, it begins later. */
const PAGES_MAX = 5;

/** Pictures come no faster than that. */
const DRAW_MILLIS = 200;

const LIBRARY = "../vendor/uplot.js";
const LIBRARY_STYLE = "../vendor/uplot.css";

/** @param {Page} page */
export function createChart(page) {
  const place = byId("chart");
  const note = byId("chart-note");
  /** @type {UPlot | null} */
  let library = null;
  /** @type {import("uplot") | null} */
  let plot = null;
  /** @type {Point[]} */
  let points = [];
  /** @type {[number[], (number | null)[]]} */
  let data = [[], []];
  let minutes = 10;
  let generation = 0;
  /** @type {string | null} */
  let failure = null;
  let isDrawn = false;
  let drawnAtMillis = 0;

  const windows = MINUTES.map((count) => {
    const button = el("button", "");
    button.type = "button";
    button.addEventListener("click", () => {
      minutes = count;
      relabel();
      void load();
    });
    return { count, button };
  });
  byId("chart-windows").replaceChildren(...windows.map(({ button }) => button));

  const nowSeconds = () => (page.nowMillis() + page.model.skewMillis) / 1_000;

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

  /** Loads the span of the selected series anew. */
  async function load() {
    generation += 1;
    const mine = generation;
    const series = selected(page.model);
    const from = nowSeconds() - minutes * 60;
    points = [];
    failure = null;
    if (series !== null) {
      const { device, quantity } = series.latest;
      /** @type {string | null} */
      let after = null;
      try {
        for (let turn = 0; turn < PAGES_MAX; turn += 1) {
          const found = await readings({ device, quantity, order: "desc", after, limit: PAGE_LEN });
          if (mine !== generation) return;
          points = merge(points, found.readings.map(pointOf), from);
          if (turn === 0) {
            const times = found.readings.map((reading) => reading.at_micros).reverse();
            seedTimes(page.model, series.key, times);
          }
          after = found.next;
          const oldest = found.readings.at(-1);
          if (after === null || oldest === undefined || oldest.at_micros / 1e6 < from) break;
        }
      } catch (error) {
        if (mine !== generation) return;
        failure = error instanceof Error ? error.message : String(error);
      }
    }
    rebuild();
  }

  /** @param {readonly Reading[]} fresh */
  function add(fresh) {
    const mine = fresh.filter((reading) => seriesKey(reading) === page.model.selected);
    if (mine.length === 0) return;
    points = merge(points, mine.map(pointOf), nowSeconds() - minutes * 60);
    isDrawn = false;
    // Where many come the clock draws them together.
    if (performance.now() - drawnAtMillis > DRAW_MILLIS) draw();
  }

  /** Moves the picture on. */
  function draw() {
    if (plot === null) return;
    if (!isDrawn) data = columns(points);
    isDrawn = true;
    drawnAtMillis = performance.now();
    plot.setData(data);
    const visible = extent(points);
    const isEmpty =
      failure === null && !points.some((point) => point.seconds > nowSeconds() - minutes * 60);
    setShown(note, failure !== null || isEmpty);
    setText(
      note,
      failure === null ? page.t("chart.empty") : page.t("chart.failed", { reason: failure }),
    );
    if (visible === null) return;
    const summary = page.t("chart.summary", {
      low: label(visible.low),
      high: label(visible.high),
      count: points.length,
    });
    if (place.getAttribute("aria-label") !== summary) place.setAttribute("aria-label", summary);
    if (plot.cursor.idx === null || plot.cursor.idx === undefined) {
      setText(byId("chart-readout"), summary);
    }
  }

  function rebuild() {
    if (library === null) return;
    plot?.destroy();
    place.replaceChildren();
    data = columns(points);
    plot = new library(options(), data, place);
    draw();
  }

  function relabel() {
    for (const { count, button } of windows) {
      setText(button, page.t("chart.minutes", { count }));
      button.setAttribute("aria-pressed", String(count === minutes));
    }
    if (library === null && place.hidden) setText(note, page.t("chart.missing"));
    rebuild();
  }

  const isTemperature = () => selected(page.model)?.latest.celsius !== null;

  /** @param {number} value */
  function label(value) {
    const unit = isTemperature() ? "°C" : (selected(page.model)?.latest.unit ?? "");
    return measured(value, unit, page.language);
  }

  function threshold() {
    const series = selected(page.model);
    if (series === null || series.latest.celsius === null) return null;
    return thresholdCelsius(page.model.rules, series.latest.topic);
  }

  function size() {
    return { width: Math.max(200, place.clientWidth), height: Math.max(150, place.clientHeight) };
  }

  /** @returns {import("uplot").Options} */
  function options() {
    const color = colors();
    const axis = { stroke: color.muted, font: "12px system-ui", ticks: { show: false } };
    const grid = { stroke: color.line, width: 1 };
    /** @type {import("uplot").Axis[]} */
    const axes = [
      {
        ...axis,
        grid,
        space: 76,
        size: 28,
        values: (_, splits) =>
          splits.map((second) => clock(second * 1e6).slice(0, minutes > 2 ? 5 : 8)),
      },
      {
        ...axis,
        grid,
        size: 58,
        values: (_, splits) => splits.map((value) => `${value}${isTemperature() ? "°C" : ""}`),
      },
    ];
    if (isTemperature()) {
      axes.push({
        ...axis,
        side: 1,
        size: 58,
        scale: "y",
        grid: { show: false },
        values: (_, splits) => splits.map((value) => `${Math.round(value * 18 + 320) / 10}°F`),
      });
    }
    return {
      ...size(),
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      scales: {
        x: { time: true, range: () => [nowSeconds() - minutes * 60, nowSeconds()] },
        y: { range: () => axisRange(extent(points), threshold()) },
      },
      axes,
      series: [
        {},
        {
          stroke: color.heat,
          width: 2,
          fill: `${color.heat}1c`,
          points: { show: points.length < 80, size: 5, fill: color.heat },
        },
      ],
      hooks: { draw: [(drawn) => drawThreshold(drawn, color)], setCursor: [readout] },
    };
  }

  /**
   * @param {import("uplot")} drawn
   * @param {ReturnType<typeof colors>} color
   */
  function drawThreshold(drawn, color) {
    const limit = threshold();
    if (limit === null) return;
    const { left, top, width, height } = drawn.bbox;
    const y = drawn.valToPos(limit, "y", true);
    if (y < top || y > top + height) return;
    const { ctx } = drawn;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = color.limit;
    ctx.fillStyle = color.limit;
    ctx.lineWidth = scale;
    ctx.setLineDash([5 * scale, 4 * scale]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
    ctx.font = `${11 * scale}px system-ui`;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    ctx.fillText(
      page.t("chart.threshold", { value: label(limit) }),
      left + 6 * scale,
      y - 2 * scale,
    );
    ctx.restore();
  }

  /** @param {import("uplot")} drawn */
  function readout(drawn) {
    const index = drawn.cursor.idx;
    const second = index === null || index === undefined ? undefined : data[0][index];
    const point = points.find((candidate) => candidate.seconds === second);
    if (point === undefined) return;
    const parts = [clock(point.seconds * 1e6), label(point.value)];
    if (isTemperature()) parts.push(`${converted(point.value * 1.8 + 32, page.language)} °F`);
    parts.push(point.id < 0 ? page.t("now.unstored") : page.t("now.reading", { id: point.id }));
    setText(byId("chart-readout"), parts.join(" · "));
  }

  relabel();
  void start();
  return { load, add, draw, relabel };
}

function colors() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    heat: value("--heat"),
    line: value("--line"),
    muted: value("--muted"),
    limit: value("--limit"),
  };
}
