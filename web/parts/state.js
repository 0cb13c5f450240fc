/**
 * Everything the page knows, and what each frame of `/live` changes in it. Pure: no page, no socket,
 * and the present is an argument.
 */

/** @typedef {import("../wire.d.ts").Frame} Frame */
/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {import("../wire.d.ts").Availability} Availability */
/** @typedef {import("../wire.d.ts").Actuator} Actuator */
/** @typedef {import("../wire.d.ts").LogLine} LogLine */
/** @typedef {import("../wire.d.ts").Counts} Counts */
/** @typedef {import("../wire.d.ts").Rule} Rule */
/** @typedef {import("../wire.d.ts").RuleSet} RuleSet */
/** @typedef {"snapshot" | "series" | "readings" | "devices" | "actuators" | "log" | "counts" | "lagged"} Part */

/**
 * One device's one quantity.
 * @typedef {object} Series
 * @property {string} key
 * @property {Reading} latest
 * @property {number[]} times of the newest readings in microseconds, oldest first
 */

/**
 * @typedef {object} Model
 * @property {Map<string, Series>} series in the order of their keys
 * @property {string | null} selected
 * @property {boolean} pinned a person has selected
 * @property {Map<string, Availability>} availability of devices that say whether they are there
 * @property {Map<string, Actuator>} actuators
 * @property {LogLine[]} log oldest first
 * @property {Counts | null} counts
 * @property {Rule[]} rules
 * @property {RuleSet | null} ruleSet the version of the rules at a time of the past
 * @property {Reading[]} fresh readings since they were last taken, oldest first
 * @property {number} skewMillis the gateway's clock minus ours
 * @property {number} lagged
 */

/** Lines of the log that are kept. */
export const LOG_LEN = 200;
/** Times that the usual distance of two readings is taken from. */
const TIMES_LEN = 9;
/** A series is stale after so many missed readings … */
const MISSED_MAX = 3;
/** … but not before, as networks stutter … */
const STALE_MILLIS_MIN = 3_000;
/** … and this is waited where the distance is not known. */
const STALE_MILLIS_UNKNOWN = 15_000;
/** Readings that wait for the next picture; where there are more the oldest are left to the history. */
const FRESH_LEN_MAX = 5_000;

/** @returns {Model} */
export function createModel() {
  return {
    series: new Map(),
    selected: null,
    pinned: false,
    availability: new Map(),
    actuators: new Map(),
    log: [],
    counts: null,
    rules: [],
    ruleSet: null,
    fresh: [],
    skewMillis: 0,
    lagged: 0,
  };
}

/** @param {Pick<Reading, "device" | "quantity">} reading */
export function seriesKey(reading) {
  return JSON.stringify([reading.device, reading.quantity]);
}

/**
 * @param {Model} model
 * @param {Frame} frame
 * @param {number} nowMillis
 * @returns {Part[]} what has changed
 */
export function apply(model, frame, nowMillis) {
  switch (frame.type) {
    case "snapshot":
      return applySnapshot(model, frame, nowMillis);
    case "reading":
      return applyReading(model, frame.reading);
    case "availability":
      model.availability.set(frame.availability.device, frame.availability);
      return ["devices"];
    case "actuator":
      model.actuators.set(frame.actuator.name, frame.actuator);
      return ["actuators"];
    case "log":
      model.log.push(frame.entry);
      if (model.log.length > LOG_LEN) model.log.splice(0, model.log.length - LOG_LEN);
      return ["log"];
    case "counts":
      model.counts = frame.counts;
      return ["counts"];
    case "lagged":
      model.lagged += frame.lagged;
      return ["lagged"];
    default:
      // A newer gateway may say more than this page knows.
      return [];
  }
}

/**
 * @param {Model} model
 * @param {string} key
 */
export function select(model, key) {
  if (!model.series.has(key)) return;
  model.selected = key;
  model.pinned = true;
}

/**
 * What the history says about how often a series comes, where only its newest reading is known yet.
 * @param {Model} model
 * @param {string} key
 * @param {number[]} times in microseconds, ascending
 */
export function seedTimes(model, key, times) {
  const series = model.series.get(key);
  if (series !== undefined && series.times.length < 2) series.times = times.slice(-TIMES_LEN);
}

/**
 * @param {Model} model
 * @returns {Series | null}
 */
export function selected(model) {
  return model.selected === null ? null : (model.series.get(model.selected) ?? null);
}

/**
 * How old the newest reading is by the gateway's clock.
 * @param {Model} model
 * @param {Series} series
 * @param {number} nowMillis
 */
export function ageMillis(model, series, nowMillis) {
  return Math.max(0, nowMillis + model.skewMillis - series.latest.at_micros / 1_000);
}

/**
 * Whether readings are missing: three in a row.
 * @param {Model} model
 * @param {Series} series
 * @param {number} nowMillis
 */
export function isStale(model, series, nowMillis) {
  const usual = usualMillis(series.times);
  const limit =
    usual === null ? STALE_MILLIS_UNKNOWN : Math.max(STALE_MILLIS_MIN, usual * MISSED_MAX);
  return ageMillis(model, series, nowMillis) > limit;
}

/**
 * The median distance of neighbours; null where there are not yet two.
 * @param {number[]} times in microseconds, ascending
 */
export function usualMillis(times) {
  const distances = times.slice(1).map((time, index) => time - (times[index] ?? time));
  if (distances.length === 0) return null;
  distances.sort((a, b) => a - b);
  return (distances[Math.floor(distances.length / 2)] ?? 0) / 1_000;
}

/**
 * @param {Model} model
 * @param {Extract<Frame, {type: "snapshot"}>} frame
 * @param {number} nowMillis
 * @returns {Part[]}
 */
function applySnapshot(model, frame, nowMillis) {
  const before = model.series;
  model.series = new Map();
  for (const latest of frame.readings) {
    const key = seriesKey(latest);
    const known = before.get(key)?.times ?? [];
    // What was missed meanwhile says nothing of how often it comes: the distances stay.
    const moved = latest.at_micros - (known.at(-1) ?? 0);
    const times = known.length === 0 ? [latest.at_micros] : known.map((time) => time + moved);
    model.series.set(key, { key, latest, times });
  }
  // A picture that an earlier page kept has none.
  const said = frame.availability ?? [];
  model.availability = new Map(said.map((one) => [one.device, one]));
  model.actuators = new Map(frame.actuators.map((actuator) => [actuator.name, actuator]));
  model.log = frame.log.slice(-LOG_LEN);
  model.counts = frame.counts;
  model.rules = frame.rules;
  model.fresh = [];
  model.skewMillis = frame.now_micros / 1_000 - nowMillis;
  if (model.selected !== null && !model.series.has(model.selected)) {
    model.selected = null;
    model.pinned = false;
  }
  for (const series of model.series.values()) consider(model, series);
  return ["snapshot"];
}

/**
 * @param {Model} model
 * @param {Reading} reading
 * @returns {Part[]}
 */
function applyReading(model, reading) {
  model.fresh.push(reading);
  if (model.fresh.length > FRESH_LEN_MAX) model.fresh.shift();
  const key = seriesKey(reading);
  const known = model.series.get(key);
  if (known === undefined) {
    /** @type {Series} */
    const series = { key, latest: reading, times: [reading.at_micros] };
    model.series.set(key, series);
    model.series = new Map([...model.series].sort(byKey));
    consider(model, series);
    return ["series", "readings"];
  }
  // A late reading belongs to the history, not to the present.
  if (reading.at_micros < known.latest.at_micros) return ["readings"];
  known.latest = reading;
  known.times.push(reading.at_micros);
  if (known.times.length > TIMES_LEN) known.times.shift();
  return ["readings"];
}

/**
 * Shows a series where none is shown, and a temperature rather than anything else.
 * @param {Model} model
 * @param {Series} series
 */
function consider(model, series) {
  if (model.pinned) return;
  const shown = selected(model);
  const better =
    shown === null || (shown.latest.celsius === null && series.latest.celsius !== null);
  if (better) model.selected = series.key;
}

/**
 * @param {[string, Series]} a
 * @param {[string, Series]} b
 */
function byKey([a], [b]) {
  return a < b ? -1 : 1;
}
