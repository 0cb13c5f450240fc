/** When an actuator was on, as the ledger tells it. Pure. */

/** @typedef {import("../wire.d.ts").Command} Command */
/** @typedef {{from: number, until: number | null}} Episode in seconds; null: it goes on */
/** @typedef {{from: number, until: number}} Ended */

/**
 * What an actuator did: the moments at which a command took hold, oldest first. A refused command did
 * nothing; one that was never answered counts from when it was sent, or else decided.
 * @param {readonly Command[]} commands in any order
 */
export function switches(commands) {
  return commands
    .filter((command) => command.refused_at_micros === null)
    .map((command) => ({
      seconds:
        (command.applied_at_micros ?? command.sent_at_micros ?? command.decided_at_micros) / 1e6,
      led: command.led,
      number: command.number,
    }))
    .sort((a, b) => a.seconds - b.seconds || a.number - b.number);
}

/**
 * @param {readonly Command[]} commands also the one that stood at the beginning
 * @param {number} from seconds
 * @param {number} until seconds
 * @returns {Episode[]} cut to the span; the last one may go on
 */
export function episodes(commands, from, until) {
  /** @type {Episode[]} */
  const found = [];
  /** @type {number | null} */
  let since = null;
  for (const { seconds, led } of switches(commands)) {
    if (led === "on") {
      since ??= seconds;
    } else if (since !== null) {
      found.push({ from: since, until: seconds });
      since = null;
    }
  }
  const ended = cutTo(found, from, until);
  if (since === null || since >= until) return ended;
  return [...ended, { from: Math.max(since, from), until: null }];
}

/**
 * What of them is in a span: one that goes on lasts to its end.
 * @param {readonly Episode[]} found
 * @param {number} from seconds
 * @param {number} until seconds
 * @returns {Ended[]}
 */
export function cutTo(found, from, until) {
  return found
    .map((episode) => ({
      from: Math.max(episode.from, from),
      until: Math.min(episode.until ?? until, until),
    }))
    .filter((episode) => episode.until > episode.from);
}

/**
 * How long it was on, in seconds.
 * @param {readonly Ended[]} found
 */
export function onSeconds(found) {
  return found.reduce((sum, { from, until }) => sum + until - from, 0);
}
