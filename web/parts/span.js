/**
 * Which stretch of time a chart shows, and how a person moves in it. Pure: seconds since 1970, and the
 * present is an argument.
 *
 * A live span ends now and moves on by itself; a past one stands still. What is moved up to the present
 * is live again.
 */

/** @typedef {{seconds: number}} Live */
/** @typedef {{from: number, until: number}} Past */
/** @typedef {Live | Past} Span */

export const SECONDS_MIN = 1;
/** Twenty years. */
export const SECONDS_MAX = 20 * 365.25 * 86_400;

const DAY = 86_400;

/** What can be chosen with one press. */
export const PRESETS = /** @type {const} */ ([
  { key: "2m", seconds: 120 },
  { key: "10m", seconds: 600 },
  { key: "1h", seconds: 3_600 },
  { key: "1d", seconds: DAY },
  { key: "7d", seconds: 7 * DAY },
  { key: "30d", seconds: 30 * DAY },
  { key: "1y", seconds: 365 * DAY },
  { key: "5y", seconds: 5 * 365 * DAY },
]);

/**
 * @param {Span} span
 * @returns {span is Live}
 */
export function isLive(span) {
  return "seconds" in span;
}

/**
 * @param {Span} span
 * @param {number} now
 * @returns {[number, number]}
 */
export function edges(span, now) {
  return isLive(span) ? [now - span.seconds, now] : [span.from, span.until];
}

/**
 * A stretch that a person has drawn.
 * @param {number} a
 * @param {number} b
 * @param {number} now
 * @returns {Span}
 */
export function chosen(a, b, now) {
  const [from, until] = a < b ? [a, b] : [b, a];
  const seconds = limited(until - from);
  const middle = (from + until) / 2;
  return settled(middle - seconds / 2, middle + seconds / 2, now);
}

/**
 * @param {Span} span
 * @param {number} now
 * @param {number} factor below 1: closer
 * @param {number | null} [around] what stays in its place; null: the end of a live span, else the middle
 * @returns {Span}
 */
export function zoomed(span, now, factor, around = null) {
  const [from, until] = edges(span, now);
  const seconds = limited((until - from) * factor);
  if (isLive(span) && around === null) return { seconds };
  const still = around ?? (from + until) / 2;
  const share = (still - from) / (until - from);
  return settled(still - share * seconds, still + (1 - share) * seconds, now);
}

/**
 * @param {Span} span
 * @param {number} now
 * @param {number} share of its length; below 0: to the past
 * @returns {Span}
 */
export function panned(span, now, share) {
  const [from, until] = edges(span, now);
  const by = (until - from) * share;
  return settled(from + by, until + by, now);
}

/**
 * @param {number} from
 * @param {number} until
 * @param {number} now
 * @returns {Span}
 */
function settled(from, until, now) {
  return until >= now ? { seconds: limited(until - from) } : { from, until };
}

/** @param {number} seconds */
function limited(seconds) {
  return Math.min(SECONDS_MAX, Math.max(SECONDS_MIN, seconds));
}
