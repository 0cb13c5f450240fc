/**
 * What the chart is made of: the curves that the gateway has of a span, grown by every reading since, where the
 * rules switch, and what the actuators did. Draws nothing and says nothing.
 *
 * The ledger is asked one question at a time: an LED that flaps is asked about again when the answer is there.
 */

import { chart as askChart } from "./api.js";
import { actuatorsOf, loadEpisodes } from "./driven.js";
import { cutTo } from "./episodes.js";
import { nameOf } from "./legend.js";
import { valueText } from "./plot.js";
import { curveOf, emptyCurve, grown, PLACES } from "./points.js";
import { single } from "./single.js";
import { seedTimes, selected, seriesKey } from "./state.js";
import { thresholds, valueOn } from "./threshold.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./points.js").Curve} Curve */
/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {ReturnType<typeof createCurves>} Curves */
/** @typedef {ReturnType<Curves["shown"]>[number]} Shown a line with its name and unit */

/** Readings that wait for the points of their span. */
const WAITING_LEN_MAX = 5_000;
/** How late the page may know what time it is at the gateway. */
const CLOCK_SECONDS = 1;

/**
 * @param {Page} page
 * @param {object} host
 * @param {() => import("./legend.js").Entry[]} host.entries which series
 * @param {() => [number, number]} host.sight the span, in seconds
 * @param {() => boolean} host.isLive
 * @param {() => number} host.now seconds
 * @param {() => number} host.places for points in the picture
 * @param {(isBusy: boolean) => void} host.onBusy
 * @param {() => void} host.onCurves the span is here, or has failed
 * @param {() => void} host.onDriven
 */
export function createCurves(page, host) {
  const { entries, sight, isLive, now } = host;
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

  /** Loads the span of the series anew. */
  async function load() {
    loading.abort();
    loading = new AbortController();
    const { signal } = loading;
    const wanted = entries().flatMap(({ key, isHidden }) => {
      const series = page.model.series.get(key);
      return isHidden || series === undefined ? [] : [series];
    });
    const [from, until] = sight();
    waiting = [];
    host.onBusy(true);
    try {
      const found = await Promise.all(
        wanted.map(async ({ key, latest: { device, quantity } }) => {
          const asked = { device, quantity, from, until, points: host.places() };
          return /** @type {const} */ ([key, await askChart(asked, signal)]);
        }),
      );
      if (signal.aborted) return;
      curves = new Map(found.map(([key, chart]) => [key, curveOf(chart, from, until)]));
      for (const [key, { level, points }] of found) {
        const times = points.map(({ at_micros }) => at_micros);
        if (level === "raw") seedTimes(page.model, key, times);
      }
      failure = null;
    } catch (error) {
      if (signal.aborted) return;
      failure = error instanceof Error ? error.message : String(error);
    }
    const came = waiting ?? [];
    waiting = null;
    host.onBusy(false);
    take(came);
    host.onCurves();
    await loadDriven();
  }

  const loadDriven = single(async () => {
    const { signal } = loading;
    const topic = selected(page.model)?.latest.topic;
    const names = topic === undefined ? [] : actuatorsOf(page.model.rules, topic);
    const [from, until] = sight();
    try {
      // By the gateway's clock it may be a little later, and what has just begun is asked for too.
      const end = isLive() ? until + CLOCK_SECONDS : until;
      const found = await loadEpisodes(names, from, end, signal);
      if (signal.aborted) return;
      driven = found;
    } catch {
      // The curves are worth more than their shades; the next span asks again.
      return;
    }
    host.onDriven();
  });

  /**
   * @param {readonly Reading[]} fresh
   * @returns {boolean} whether they are in the picture
   */
  function add(fresh) {
    if (waiting === null) return take(fresh);
    waiting.push(...fresh);
    waiting.splice(0, waiting.length - WAITING_LEN_MAX);
    return false;
  }

  /** @param {readonly Reading[]} fresh */
  function take(fresh) {
    if (!isLive()) return false;
    const [from, until] = sight();
    let isTaken = false;
    for (const { key } of entries()) {
      const mine = fresh.filter((reading) => seriesKey(reading) === key);
      const curve = curves.get(key);
      if (mine.length === 0 || curve === undefined) continue;
      curves.set(key, grown(curve, mine, from, (until - from) / PLACES));
      isTaken = true;
    }
    return isTaken;
  }

  /** What is in the picture: the lines with their names. */
  function shown() {
    return entries().flatMap(({ key, color, isHidden }) => {
      const series = page.model.series.get(key);
      if (isHidden || series === undefined) return [];
      const curve = curves.get(key) ?? emptyCurve();
      const unit = curve.unit === "°C" ? `°${page.unit}` : curve.unit;
      return [{ key, color, curve, unit, series, name: nameOf(series), convert: inUnit }];
    });
  }

  /**
   * @param {number} value
   * @param {Curve} curve
   */
  function inUnit(value, { unit }) {
    return unit === "°C" && page.unit === "F" ? value * 1.8 + 32 : value;
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

  return {
    load,
    loadDriven,
    add,
    shown,
    driven: drivenNow,
    limits,
    isLoading: () => waiting !== null,
    failure: () => failure,
  };
}
