/**
 * The house as it was: what the history and the ledger tell of a time, put as the live socket would have.
 * Pure.
 *
 * What the ledger does not know is not made up: it does not keep how a link was, so of an actuator that
 * had answered the link is said to have been up since then, and of another one nothing.
 */

/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {import("../wire.d.ts").Actuator} Actuator */
/** @typedef {import("../wire.d.ts").Command} Command */
/** @typedef {import("../wire.d.ts").Frame} Frame */
/** @typedef {import("../wire.d.ts").LogEvent} LogEvent */
/** @typedef {import("./state.js").Model} Model */

/**
 * @typedef {{atMicros: number, reading: Reading}
 *   | {atMicros: number, command: Command, turn: "decided" | "sent" | "applied" | "refused"}} Happening
 */

const MICROS_MAX = Number.MAX_SAFE_INTEGER;

const TURNS = /** @type {const} */ (["decided", "sent", "applied", "refused"]);

/**
 * Everything that happened, in the order of time.
 * @param {readonly Reading[]} readings of the stretch
 * @param {readonly Command[]} commands also of shortly before it
 * @param {number} from microseconds, exclusive
 * @param {number} until microseconds, inclusive
 * @returns {Happening[]}
 */
export function happenings(readings, commands, from, until) {
  /** @type {Happening[]} */
  const found = readings.map((reading) => ({ atMicros: reading.at_micros, reading }));
  for (const command of commands) {
    for (const turn of TURNS) {
      const atMicros = command[`${turn}_at_micros`];
      if (atMicros === null || atMicros <= from || atMicros > until) continue;
      found.push({ atMicros, command, turn });
    }
  }
  return found.sort((a, b) => a.atMicros - b.atMicros);
}

/**
 * What the live socket would have said of it.
 * @param {Happening} happening
 * @param {Model} model as it was before
 * @param {number} logId of the next line
 * @returns {Frame[]}
 */
export function framesOf(happening, model, logId) {
  const { atMicros } = happening;
  const at = new Date(atMicros / 1_000).toISOString();
  /**
   * @param {string} hop
   * @param {LogEvent} event
   * @returns {Frame}
   */
  const line = (hop, event) => ({
    type: "log",
    entry: { id: logId, at, at_micros: atMicros, hop, text: "", event },
  });
  if ("reading" in happening) {
    const { reading } = happening;
    const { id, device, quantity, value, unit } = reading;
    return [
      { type: "reading", reading },
      line("gateway", { kind: "stored", id, device, quantity, value, unit }),
    ];
  }
  const { command, turn } = happening;
  const { actuator, led, number, rule, cause } = command;
  const known = model.actuators.get(actuator);
  /** @type {Frame[]} */
  const frames =
    known === undefined
      ? []
      : [{ type: "actuator", actuator: { ...known, ...stateOf(command, atMicros) } }];
  switch (turn) {
    case "decided":
      return [...frames, line("rules", { kind: "decided", rule, actuator, led, cause })];
    case "sent":
      return [...frames, line("actuator", { kind: "sent", actuator, number, led })];
    case "applied": {
      const latency = atMicros - command.decided_at_micros;
      const event = { kind: "applied", actuator, number, led, latency_micros: latency };
      return [...frames, line("actuator", /** @type {LogEvent} */ (event))];
    }
    case "refused": {
      const reason = command.refused_reason ?? "";
      return [...frames, line("actuator", { kind: "refused", actuator, number, reason })];
    }
  }
}

/**
 * An actuator as the ledger knows it of a time.
 * @param {Actuator} now as it is
 * @param {Command | null} stood the command that stood; null: none did
 * @param {number} atMicros
 * @param {string} unknown what is said of its link
 * @returns {Actuator}
 */
export function pastActuator(now, stood, atMicros, unknown) {
  /** @type {Actuator} */
  const blank = {
    ...now,
    desired: null,
    sent: null,
    reported: null,
    latency_micros: null,
    firmware: null,
    trust: null,
    link_state: "away",
    link_reason: unknown,
    link_since: new Date(atMicros / 1_000).toISOString(),
    link_since_micros: atMicros,
    link_down_since: null,
    link_down_since_micros: null,
  };
  return stood === null ? blank : { ...blank, ...stateOf(stood, atMicros) };
}

/**
 * What a command had led to by then. What it had not stays as it was.
 * @param {Command} command
 * @param {number} atMicros
 * @returns {Partial<Actuator>}
 */
function stateOf(command, atMicros) {
  const { led, number, rule, cause } = command;
  const by = (/** @type {number | null} */ micros) => (micros ?? MICROS_MAX) <= atMicros;
  /** @param {number | null} micros */
  const state = (micros) => ({
    led,
    number,
    at: new Date((micros ?? 0) / 1_000).toISOString(),
    at_micros: micros ?? 0,
  });
  /** @type {Partial<Actuator>} */
  const found = { desired: { ...state(command.decided_at_micros), rule, cause } };
  if (by(command.sent_at_micros)) found.sent = state(command.sent_at_micros);
  const applied = command.applied_at_micros;
  if (applied !== null && by(applied)) {
    found.reported = state(applied);
    found.latency_micros = applied - command.decided_at_micros;
    found.link_state = "up";
    found.link_since = new Date(applied / 1_000).toISOString();
    found.link_since_micros = applied;
  }
  return found;
}
