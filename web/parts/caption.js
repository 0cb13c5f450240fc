/** The words beside the chart's picture: what is in it, and what is under its cursor. */

import { byId, setShown, setText } from "./dom.js";
import { onSeconds } from "./episodes.js";
import { age, clock, measured, number, plain, stamp } from "./format.js";
import { valueText } from "./plot.js";
import { extent, nearest } from "./points.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./points.js").Curve} Curve */
/** @typedef {import("./points.js").Point} Point */
/** @typedef {import("./curves.js").Shown} Shown */

const DAY_SECONDS = 86_400;

/**
 * @param {Page} page
 * @param {object} host
 * @param {import("./curves.js").Curves} host.curves
 * @param {import("./picture.js").Picture} host.picture
 * @param {(key: string, text: string) => void} host.sayLine in the legend
 * @param {() => [number, number]} host.sight the span, in seconds
 * @param {() => boolean} host.isLive
 */
export function createCaption(page, { curves, picture, sayLine, sight, isLive }) {
  const place = byId("chart");
  const note = byId("chart-note");
  const readout = byId("chart-readout");

  /** What is in the picture. */
  function say() {
    const { t, language } = page;
    const [from, until] = sight();
    const span = { from: stamp(from * 1e6, language), until: stamp(until * 1e6, language) };
    setText(byId("chart-range"), t("chart.range", span));
    const lines = curves.shown();
    const [first] = lines;
    setText(byId("chart-level"), first === undefined ? "" : levelText(first.curve));
    sayDriven();
    const found = lines.map(({ curve }) => extent(curve.points, from, until));
    sayNote(found.every((reach) => reach === null));
    const summary = first === undefined ? "" : summaryText(first, found[0] ?? null);
    const label = `${first?.name ?? t("chart.title")}: ${summary || t("chart.empty")}`;
    if (place.getAttribute("aria-label") !== label) place.setAttribute("aria-label", label);
    if (summary === "" || picture.pointed() === null) {
      setText(readout, summary);
      for (const line of lines) sayLine(line.key, newestText(line));
    }
  }

  /** @param {boolean} isEmpty */
  function sayNote(isEmpty) {
    const { t } = page;
    const state = picture.state();
    if (state === "coming") return;
    const failure = curves.failure();
    const nothing = isEmpty && !curves.isLoading();
    setShown(note, state === "missing" || failure !== null || nothing);
    if (state === "missing") setText(note, t("chart.missing"));
    else if (failure === null) setText(note, t("chart.empty"));
    else setText(note, t("chart.failed", { reason: plain(failure, 600) }));
  }

  /** What is under the cursor, and otherwise what is in the picture. */
  function sayCursor() {
    const seconds = picture.pointed();
    if (seconds === null) {
      say();
      return;
    }
    for (const [index, { key, curve, unit, convert }] of curves.shown().entries()) {
      const point = nearest(curve.points, seconds);
      const value =
        point === null ? "" : valueText(convert(point.value, curve), unit, page.language);
      sayLine(key, value);
      if (index === 0)
        setText(readout, point === null ? "" : sentence(point, { curve, unit, convert }));
    }
  }

  /**
   * One point in words: a reading with its number, or what several have in common.
   * @param {Point} point
   * @param {Pick<Shown, "curve" | "unit" | "convert">} line
   */
  function sentence(point, { curve, unit, convert }) {
    const { t, language } = page;
    const value = (/** @type {number} */ one) => valueText(convert(one, curve), unit, language);
    const [from, until] = sight();
    const micros = point.seconds * 1e6;
    const isNear = until - from <= DAY_SECONDS && isLive();
    const time = isNear ? clock(micros) : stamp(micros, language);
    if (point.count === 1 && point.id !== null) {
      const id = point.id === 0 ? t("now.unstored") : t("now.reading", { id: point.id });
      return [time, value(point.value), id].join(" · ");
    }
    return t("chart.several", {
      time,
      value: value(point.value),
      low: value(point.min),
      high: value(point.max),
      count: number(point.count, language),
    });
  }

  /**
   * Nothing where the span is empty: the numbers of another one are not its own.
   * @param {Shown} line
   * @param {ReturnType<typeof extent>} found
   */
  function summaryText({ curve, unit, convert }, found) {
    if (found === null) return "";
    return page.t("chart.summary", {
      low: valueText(convert(found.low, curve), unit, page.language),
      high: valueText(convert(found.high, curve), unit, page.language),
      count: number(found.count, page.language),
    });
  }

  /**
   * The newest reading where the present is shown, and otherwise the last point of the span.
   * @param {Shown} line
   */
  function newestText({ curve, series, unit, convert }) {
    const { celsius, value } = series.latest;
    const last = isLive() ? (celsius ?? value) : curve.points.at(-1)?.value;
    return last === undefined ? "" : valueText(convert(last, curve), unit, page.language);
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
    const texts = curves.driven().map(({ name, episodes, isCut }) =>
      t(isCut ? "chart.driven.cut" : "chart.driven", {
        name: plain(name, 60),
        count: number(episodes.length, language),
        span: age(onSeconds(episodes) * 1_000, t),
      }),
    );
    setText(byId("chart-driven"), texts.join(" · "));
  }

  return { say, sayCursor, sentence };
}
