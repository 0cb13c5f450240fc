/**
 * The points of one curve: what the gateway has of a stretch, then every reading as it comes. Pure.
 *
 * A point is a reading, or what several have in common. Readings that come faster than there are places
 * in the picture are put together, so a curve never has more points than its picture can show.
 */

/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {import("../wire.d.ts").Chart} Chart */

/**
 * @typedef {object} Point
 * @property {number} seconds
 * @property {number | null} id of the reading; null: it is several, 0: not stored yet
 * @property {number} value the mean, in °C where it is a temperature
 * @property {number} min
 * @property {number} max
 * @property {number} count of readings
 */

/**
 * @typedef {object} Curve
 * @property {string} unit `°C` for every temperature
 * @property {string} level of the gateway's points: `raw`, `minute`, `hour` or `day`
 * @property {number} width of the gateway's points in seconds; 0: each is a reading
 * @property {Point[]} points in the order of time
 * @property {[number, number][]} gaps where readings are missing
 * @property {Set<number>} ids of readings that the gateway has told already
 */

/** Places for points in one picture. */
export const PLACES = 2_000;
/** A hole of so many usual distances is a gap. */
const GAP_FACTOR = 3.5;
/** Below this no hole is a gap. */
const GAP_SECONDS_MIN = 2;
/** Distances of which the usual one is taken. */
const DISTANCES = 60;

/** @returns {Curve} */
export function emptyCurve() {
  return { unit: "", level: "raw", width: 0, points: [], gaps: [], ids: new Set() };
}

/**
 * @param {Chart} chart
 * @param {number} from seconds that were asked for
 * @param {number} until
 * @returns {Curve}
 */
export function curveOf(chart, from, until) {
  const width = chart.width_micros / 1e6;
  const [unit, convert] = inCelsius(chart.unit);
  // What stands for a span stands in its middle, as far as it was asked for: no point is in the future.
  const place = (/** @type {number} */ micros) => {
    const begin = micros / 1e6;
    if (width === 0) return begin;
    return (Math.max(begin, from) + Math.min(begin + width, until)) / 2;
  };
  const points = chart.points.map(({ at_micros: at, id, mean, min, max, count }) => ({
    seconds: place(at),
    id,
    value: convert(mean),
    min: convert(min),
    max: convert(max),
    count,
  }));
  return {
    unit,
    level: chart.level,
    width,
    points,
    gaps: chart.gaps.map((gap) => [place(gap.from_micros), place(gap.until_micros)]),
    ids: new Set(points.flatMap(({ id }) => id ?? [])),
  };
}

/**
 * The curve with readings that came since, without what is too old for the picture.
 * @param {Curve} curve
 * @param {readonly Reading[]} readings in any order
 * @param {number} from seconds
 * @param {number} place seconds that one place of the picture is wide
 * @returns {Curve}
 */
export function grown(curve, readings, from, place) {
  const points = dropped(curve.points, from);
  const gaps = curve.gaps.filter(([, until]) => until >= from);
  let { unit } = curve;
  for (const reading of readings) {
    if (reading.id !== 0 && curve.ids.has(reading.id)) continue;
    unit = reading.celsius === null ? reading.unit : "°C";
    const point = pointOf(reading);
    if (point.seconds >= from) put(points, gaps, point, place);
  }
  return { ...curve, unit, points, gaps };
}

/**
 * What uPlot draws of several curves: the seconds of all, and for each curve its values there. `null` is
 * a gap; `undefined` belongs to another curve only.
 * @param {readonly Curve[]} curves
 * @param {(value: number, curve: Curve) => number} convert into the unit that is shown
 */
export function columns(curves, convert) {
  const all = new Set(
    curves.flatMap(({ points, gaps }) => [
      ...points.map(({ seconds }) => seconds),
      ...breaks(gaps),
    ]),
  );
  const seconds = [...all].sort((a, b) => a - b);
  const places = new Map(seconds.map((second, index) => [second, index]));
  const values = curves.map((curve) => {
    /** @type {Record<"value" | "min" | "max", (number | null | undefined)[]>} */
    const found = { value: [], min: [], max: [] };
    for (const name of /** @type {const} */ (["value", "min", "max"])) {
      const column = new Array(seconds.length).fill(undefined);
      for (const at of breaks(curve.gaps)) column[places.get(at) ?? -1] = null;
      for (const point of curve.points) {
        column[places.get(point.seconds) ?? -1] = convert(point[name], curve);
      }
      found[name] = column;
    }
    return found;
  });
  return { seconds, values };
}

/**
 * The point that is nearest to a time; null without points.
 * @param {readonly Point[]} points
 * @param {number} seconds
 */
export function nearest(points, seconds) {
  const at = firstFrom(points, seconds);
  const [before, behind] = [points[at - 1], points[at]];
  if (before === undefined || behind === undefined) return before ?? behind ?? null;
  return seconds - before.seconds <= behind.seconds - seconds ? before : behind;
}

/**
 * The lowest and the highest value between two times, and how many readings; null without any.
 * @param {readonly Point[]} points
 * @param {number} from
 * @param {number} until
 */
export function extent(points, from, until) {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (let index = firstFrom(points, from); index < points.length; index += 1) {
    const point = points[index];
    if (point === undefined || point.seconds > until) break;
    low = Math.min(low, point.min);
    high = Math.max(high, point.max);
    count += point.count;
  }
  return count === 0 ? null : { low, high, count };
}

/**
 * The range of the value axis: never so narrow that noise looks like weather; with the thresholds that
 * are near.
 * @param {{low: number, high: number} | null} found
 * @param {readonly number[]} thresholds
 * @returns {[number, number]}
 */
export function axisRange(found, thresholds) {
  const [first] = thresholds;
  let { low, high } = found ?? { low: first ?? 0, high: first ?? 1 };
  const span = Math.max(high - low, 2);
  const [lowest, highest] = [low - 2 * span, high + 2 * span];
  for (const threshold of thresholds) {
    if (threshold <= lowest || threshold >= highest) continue;
    low = Math.min(low, threshold);
    high = Math.max(high, threshold);
  }
  const middle = (low + high) / 2;
  const half = Math.max((high - low) / 2, 1) * 1.15;
  return [middle - half, middle + half];
}

/**
 * @param {Reading} reading
 * @returns {Point}
 */
function pointOf(reading) {
  const value = reading.celsius ?? reading.value;
  return {
    seconds: reading.at_micros / 1e6,
    id: reading.id,
    value,
    min: value,
    max: value,
    count: 1,
  };
}

/**
 * Puts a point in its place of the order, or together with the one that has that place.
 * @param {Point[]} points
 * @param {[number, number][]} gaps
 * @param {Point} point
 * @param {number} place
 */
function put(points, gaps, point, place) {
  const at = firstFrom(points, point.seconds);
  const before = points[at - 1];
  if (
    before !== undefined &&
    Math.floor(before.seconds / place) === Math.floor(point.seconds / place)
  ) {
    points[at - 1] = together(before, point);
    return;
  }
  const isNewest = at === points.length;
  if (isNewest && before !== undefined && point.seconds - before.seconds > gapSeconds(points)) {
    gaps.push([before.seconds, point.seconds]);
  }
  points.splice(at, 0, point);
  // A late reading ends the gap that it lies in.
  if (!isNewest) {
    const within = gaps.findIndex(([from, until]) => from < point.seconds && point.seconds < until);
    if (within >= 0) gaps.splice(within, 1);
  }
}

/**
 * @param {Point} a
 * @param {Point} b
 * @returns {Point}
 */
function together(a, b) {
  const count = a.count + b.count;
  return {
    seconds: a.seconds,
    id: null,
    value: (a.value * a.count + b.value * b.count) / count,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    count,
  };
}

/**
 * Without the oldest, but with the last one of them: its line enters the picture.
 * @param {readonly Point[]} points
 * @param {number} from
 */
function dropped(points, from) {
  return points.slice(Math.max(0, firstFrom(points, from) - 1));
}

/**
 * The index of the first point from that time on.
 * @param {readonly Point[]} points
 * @param {number} seconds
 */
function firstFrom(points, seconds) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.seconds ?? 0) < seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {readonly Point[]} points */
function gapSeconds(points) {
  const last = points.slice(-DISTANCES);
  const distances = last
    .slice(1)
    .map(({ seconds }, index) => seconds - (last[index]?.seconds ?? 0));
  distances.sort((a, b) => a - b);
  const usual = distances[Math.floor(distances.length / 2)];
  // Two points are no rhythm.
  if (usual === undefined || distances.length < 2) return Number.POSITIVE_INFINITY;
  return Math.max(usual * GAP_FACTOR, GAP_SECONDS_MIN);
}

/** @param {readonly [number, number][]} gaps */
function breaks(gaps) {
  return gaps.map(([from, until]) => (from + until) / 2);
}

/**
 * @param {string} unit
 * @returns {[string, (value: number) => number]}
 */
function inCelsius(unit) {
  if (unit === "°F") return ["°C", (value) => ((value - 32) * 5) / 9];
  if (unit === "K") return ["°C", (value) => value - 273.15];
  return [unit, (value) => value];
}
