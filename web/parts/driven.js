/** What the actuators did in a stretch of time: asks the ledger. */

import { commands } from "./api.js";
import { episodes } from "./episodes.js";
import { rulesOf } from "./threshold.js";

/** @typedef {import("../wire.d.ts").Rule} Rule */
/** @typedef {{name: string, episodes: import("./episodes.js").Episode[], isCut: boolean}} Driven */

/** Actuators that one chart shows. */
const ACTUATORS_MAX = 4;
/** A page of the ledger; where there are more commands the oldest are left out, and that is said. */
const COMMANDS_MAX = 1_000;

/**
 * The actuators that rules for readings of that topic switch.
 * @param {readonly Rule[]} rules
 * @param {string} topic
 */
export function actuatorsOf(rules, topic) {
  const names = rulesOf(rules, topic).flatMap(({ actuators }) => actuators);
  return [...new Set(names)].slice(0, ACTUATORS_MAX);
}

/**
 * @param {readonly string[]} names
 * @param {number} from seconds
 * @param {number} until seconds
 * @param {AbortSignal} signal
 * @returns {Promise<Driven[]>}
 */
export function loadEpisodes(names, from, until, signal) {
  return Promise.all(
    names.map(async (actuator) => {
      const [before, found] = await Promise.all([
        commands({ actuator, until: from, limit: 1 }, signal),
        commands({ actuator, from, until, limit: COMMANDS_MAX }, signal),
      ]);
      const isCut = found.length === COMMANDS_MAX;
      const known = isCut ? found : [...found, ...before];
      return { name: actuator, episodes: episodes(known, from, until), isCut };
    }),
  );
}
