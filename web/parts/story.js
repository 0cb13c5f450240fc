/**
 * The story of one command, from the reading that led to it to the device's word. Pure.
 *
 * What devices and rules may have chosen goes through `plain`.
 */

import { cause } from "./cause.js";
import { age, clock, day, latency, measured, plain } from "./format.js";

/** @typedef {import("../wire.d.ts").Why} Why */
/** @typedef {import("../wire.d.ts").Actuator} Actuator */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */
/** @typedef {"reading" | "taken" | "arrived" | "rule" | "decided" | "sent" | "applied" | "refused"} StepName */

/**
 * @typedef {object} Step
 * @property {StepName} name
 * @property {string} text what happened; empty where its time says it all
 * @property {string[]} details
 * @property {string} condition with its values; empty where none decided
 * @property {string} time of the day, with the date where that is not the decision's; empty: none
 * @property {string} span since the step before; empty where there is none
 * @property {"done" | "good" | "bad" | "open"} state
 */

/** The name that a decision of a person has instead of a rule's, where no rule has a version. */
const MANUAL = "manual";

/** From here on a span is said in minutes. */
const SPAN_MICROS_FINE = 60_000_000;

/**
 * @param {Why} why
 * @param {Translate} t
 * @param {Language} language
 * @returns {Step[]} in the order of time
 */
export function story(why, t, language) {
  const { command, reading } = why;
  const arrived = reading?.arrived_at_micros ?? null;
  /** @param {number} micros */
  const time = (micros) => {
    const date = day(micros, language);
    const isOther = date !== day(command.decided_at_micros, language);
    return `${isOther ? `${date} ` : ""}${clock(micros, true)}`;
  };
  /**
   * @param {StepName} name
   * @param {number} micros
   * @param {number | null} since
   */
  const at = (name, micros, since) =>
    step(name, { time: time(micros), span: between(since, micros, t, language) });

  const steps = [ofReading(why, t, language)];
  if (reading !== null) {
    const taken = reading.suspect ? null : reading.taken_at_micros;
    if (taken !== null) steps.push(at("taken", taken, null));
    steps.push(at("arrived", reading.arrived_at_micros, taken));
  }
  steps.push(ofRule(why, t, language));
  const decided = at("decided", command.decided_at_micros, arrived);
  steps.push({ ...decided, text: t(`led.${command.led}`) });
  return [...steps, ...outcome(why, t, language, at)];
}

/**
 * Whether the ledger does not hold yet what the live socket has said: it is written right after.
 * @param {Why | null} why
 * @param {Actuator} actuator
 */
export function isBehind(why, actuator) {
  const { desired, sent, reported } = actuator;
  if (why === null) return desired !== null;
  const { number, sent_at: sentAt, applied_at: appliedAt } = why.command;
  if (desired !== null && desired.number > number) return true;
  return (
    (sent?.number === number && sentAt === null) ||
    (reported?.number === number && appliedAt === null)
  );
}

/**
 * @param {Why} why
 * @param {Translate} t
 * @param {Language} language
 */
function ofReading({ command, reading }, t, language) {
  if (command.reading === null) {
    return step("reading", { text: t("why.reading.none"), state: "open" });
  }
  if (reading === null) {
    const text = t("why.reading.gone", { id: command.reading });
    return step("reading", { text, state: "open" });
  }
  const details = [
    `${plain(reading.device)}/${plain(reading.quantity)}`,
    t("now.reading", { id: reading.id }),
  ];
  if (reading.suspect) details.push(t("now.suspect"));
  return step("reading", { text: measured(reading.value, plain(reading.unit), language), details });
}

/**
 * @param {Why} why
 * @param {Translate} t
 * @param {Language} language
 */
function ofRule({ command }, t, language) {
  const version = command.rule_version;
  const isManual = command.rule === MANUAL && version === null;
  const details = [cause(command.cause, t, language)];
  if (version !== null) details.push(t("why.version", { version: plain(version) }));
  return step("rule", {
    text: isManual ? t("why.manual") : plain(command.rule),
    details,
    condition: plain(command.condition ?? "", CONDITION_LEN_MAX),
  });
}

/** A condition is what a person asks for here: more of it than of a name. */
const CONDITION_LEN_MAX = 1_000;

/**
 * @param {Why} why
 * @param {Translate} t
 * @param {Language} language
 * @param {(name: StepName, micros: number, since: number | null) => Step} at
 * @returns {Step[]}
 */
function outcome({ command }, t, language, at) {
  const { decided_at_micros: decided, sent_at_micros: sent } = command;
  const { applied_at_micros: applied, refused_at_micros: refused } = command;
  const isAnswered = applied !== null || refused !== null;
  const steps =
    sent === null
      ? [step("sent", { text: t(isAnswered ? "why.unknown" : "why.sent.none"), state: "open" })]
      : [at("sent", sent, decided)];
  if (applied !== null) {
    const total = t("why.total", { span: span(applied - decided, t, language) });
    steps.push({ ...at("applied", applied, sent), details: [total], state: "good" });
  } else if (refused !== null) {
    const text = plain(command.refused_reason ?? "") || t("why.unexplained");
    steps.push({ ...at("refused", refused, sent), text, state: "bad" });
  } else if (sent !== null) {
    steps.push(step("applied", { text: t("why.applied.none"), state: "open" }));
  }
  return steps;
}

/**
 * @param {StepName} name
 * @param {Partial<Step>} fields
 * @returns {Step}
 */
function step(name, fields) {
  return {
    name,
    text: "",
    details: [],
    condition: "",
    time: "",
    span: "",
    state: "done",
    ...fields,
  };
}

/**
 * @param {number | null} since
 * @param {number} micros
 * @param {Translate} t
 * @param {Language} language
 */
function between(since, micros, t, language) {
  if (since === null) return "";
  if (since === micros) return t("why.at_once");
  // A device's clock may go before ours.
  const key = micros < since ? "why.earlier" : "why.later";
  return t(key, { span: span(Math.abs(micros - since), t, language) });
}

/**
 * @param {number} micros
 * @param {Translate} t
 * @param {Language} language
 */
function span(micros, t, language) {
  return micros < SPAN_MICROS_FINE ? latency(micros, language) : age(micros / 1_000, t);
}
