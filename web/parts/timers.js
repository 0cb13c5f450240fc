/** How a rule is and what it waits for, in words. Pure: the present is an argument, in the gateway's time. */

import { countdown, moment, plain } from "./format.js";

/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */
/** @typedef {import("../wire.d.ts").RuleState} RuleState */
/** @typedef {import("../wire.d.ts").ActuatorState} ActuatorState */
/** @typedef {import("../wire.d.ts").PendingTimer} PendingTimer */
/** @typedef {{t: Translate, language: Language}} Words */

/**
 * @param {Words} words
 * @param {RuleState} rule
 * @param {number} nowMillis
 */
export function stateText({ t, language }, rule, nowMillis) {
  const { since_micros: since, blind_since_micros: blind } = rule;
  const parts = [t(`led.${rule.state}`)];
  if (since !== null)
    parts[0] += ` ${t("link.since", { time: moment(since, nowMillis, language) })}`;
  if (!rule.in_force) parts.push(t("rules.asleep"));
  if (rule.silent) parts.push(t("rules.silent"));
  if (blind !== null) {
    parts.push(t("rules.blind", { time: moment(blind, nowMillis, language) }));
  }
  return parts.join(", ");
}

/**
 * What is done when a time has run out, and how much of it is left.
 * @param {Words} words
 * @param {PendingTimer} pending
 * @param {number} nowMillis
 */
export function timerLine({ t }, { timer, does, at_micros }, nowMillis) {
  const left = countdown(at_micros / 1_000 - nowMillis);
  const what = does === "on" || does === "off" ? t(`led.${does}`) : t(`timer.${does}`);
  return t("timer.line", { what, left, why: t(`timer.${timer}`) });
}

/**
 * @param {Words} words
 * @param {ActuatorState} actuator
 * @param {number} nowMillis
 */
export function actuatorLine(words, { name, manual, pending }, nowMillis) {
  const { t } = words;
  const wait = pending === null ? t("timer.person") : timerLine(words, pending, nowMillis);
  const by = manual === "unknown" ? "" : ` ${t("timer.manual", { state: t(`led.${manual}`) })}`;
  return `${plain(name)}${by}: ${wait}`;
}
