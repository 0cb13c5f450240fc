/** The points of the chart: in order of time, each reading once, gaps as gaps. Pure. */

/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {{id: number, seconds: number, value: number}} Point */

/** Points of one chart; where there are more the oldest go. */
export const POINTS_LEN_MAX = 20_000;
/** A hole of so many usual distances is a gap. */
const GAP_FACTOR = 3.5;
/** Below this no hole is a gap. */
const GAP_SECONDS_MIN = 2;

/**
 * @param {Reading} reading
 * @returns {Point}
 */
export function pointOf(reading) {
  return {
    // What is not stored yet has no number of its own.
    id: reading.id === 0 ? -reading.at_micros : reading.id,
    seconds: reading.at_micros / 1e6,
    value: reading.celsius ?? reading.value,
  };
}

/**
 * Adds points in any order, each id once, and drops what is older than `fromSeconds`.
 * @param {readonly Point[]} points
 * @param {readonly Point[]} added
 * @param {number} fromSeconds
 * @returns {Point[]}
 */
export function merge(points, added, fromSeconds) {
  const all = isInOrder(points, added) ? [...points, ...added] : sorted(points, added);
  const first = all.findIndex((point) => point.seconds >= fromSeconds);
  if (first < 0) return [];
  return all.slice(Math.max(first, all.length - POINTS_LEN_MAX));
}

/**
 * What uPlot draws: seconds and values, with a null where readings are missing.
 * @param {readonly Point[]} points
 * @returns {[number[], (number | null)[]]}
 */
export function columns(points) {
  const limit = gapSeconds(points);
  /** @type {number[]} */
  const seconds = [];
  /** @type {(number | null)[]} */
  const values = [];
  let before = Number.POSITIVE_INFINITY;
  for (const point of points) {
    if (point.seconds - before > limit) {
      seconds.push((point.seconds + before) / 2);
      values.push(null);
    }
    seconds.push(point.seconds);
    values.push(point.value);
    before = point.seconds;
  }
  return [seconds, values];
}

/**
 * The lowest and the highest value; null without points.
 * @param {readonly Point[]} points
 */
export function extent(points) {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { value } of points) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return points.length === 0 ? null : { low, high };
}

/**
 * The range of the value axis: never so narrow that noise looks like weather; with the threshold
 * where it is near.
 * @param {{low: number, high: number} | null} found
 * @param {number | null} threshold
 * @returns {[number, number]}
 */
export function axisRange(found, threshold) {
  let { low, high } = found ?? { low: threshold ?? 0, high: threshold ?? 1 };
  const span = Math.max(high - low, 2);
  if (threshold !== null && threshold > low - 2 * span && threshold < high + 2 * span) {
    low = Math.min(low, threshold);
    high = Math.max(high, threshold);
  }
  const middle = (low + high) / 2;
  const half = Math.max((high - low) / 2, 1) * 1.15;
  return [middle - half, middle + half];
}

/**
 * @param {readonly Point[]} points
 */
function gapSeconds(points) {
  const distances = [];
  for (let index = 1; index < points.length; index += 1) {
    const [a, b] = [points[index - 1], points[index]];
    if (a !== undefined && b !== undefined) distances.push(b.seconds - a.seconds);
  }
  distances.sort((a, b) => a - b);
  const usual = distances[Math.floor(distances.length / 2)] ?? 0;
  return Math.max(usual * GAP_FACTOR, GAP_SECONDS_MIN);
}

/**
 * @param {readonly Point[]} points
 * @param {readonly Point[]} added
 */
function sorted(points, added) {
  const byId = new Map(points.map((point) => [point.id, point]));
  for (const point of added) byId.set(point.id, point);
  return [...byId.values()].sort(compare);
}

/**
 * Whether each of the added points is behind the one before it: the usual case, and the cheap one.
 * @param {readonly Point[]} points
 * @param {readonly Point[]} added
 */
function isInOrder(points, added) {
  let last = points.at(-1);
  for (const point of added) {
    if (last !== undefined && compare(last, point) >= 0) return false;
    last = point;
  }
  return true;
}

/**
 * @param {Point} a
 * @param {Point} b
 */
function compare(a, b) {
  return a.seconds - b.seconds || a.id - b.id;
}
