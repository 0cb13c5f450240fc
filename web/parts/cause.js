/**
 * Why an actuator was told something, in the page's language. Pure.
 *
 * The ledger keeps the sentence that `Cause` in crates/mtom-rules writes; web/test/causes.txt has one of
 * each kind, and a test on either side holds the two together. A sentence that is not known is shown as it is.
 */

import { plain, stamp } from "./format.js";

/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */

const TIME = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
const READING = String.raw`reading (?<id>\d+): (?<what>.+?)(?:, held for (?<held>[\d.]+) s)?(?<more>; .+)?`;
/** What a rule said while another, or a person, had the say. */
const MEANWHILE = `(?:, decided at (?<since>${TIME}))?(?:, ${READING})?`;

/** @param {string} text */
const whole = (text) => new RegExp(`^${text}$`, "su");

const SILENCE = whole(String.raw`no reading for (?<seconds>[\d.]+) s(?<more>; .+)?`);
const START = whole(`decided before the start, at (?<time>${TIME})`);
const BY_HAND = whole(`by hand(?:, until (?<time>${TIME}))?`);
const HAND_OVER = whole(`no longer by hand${MEANWHILE}`);
const SCHEDULE = whole(`schedule ended at (?<time>${TIME})`);
const SUCCESSION = whole(`(?<rule>.+?) has no say any more${MEANWHILE}`);
const BY_READING = whole(READING);
const AGAIN = whole("the device knew a higher number; (?<cause>.+)");
const THERE = whole("(?<cause>.+), in Home Assistant");
const GONE = "its rule is gone";

/**
 * @param {string} text of the ledger; a rule's and a device's name in it may be anything
 * @param {Translate} t
 * @param {Language} language
 * @param {number} [lengthMax]
 */
export function cause(text, t, language, lengthMax) {
  return plain(translated(text, t, language) ?? text, lengthMax);
}

/**
 * @param {string} text
 * @param {Translate} t
 * @param {Language} language
 * @returns {string | null} null: not known
 */
function translated(text, t, language) {
  if (text === GONE) return t("cause.gone");
  const again = AGAIN.exec(text)?.groups?.cause;
  if (again !== undefined) {
    return t("cause.again", { cause: translated(again, t, language) ?? again });
  }
  const there = THERE.exec(text)?.groups?.cause;
  if (there !== undefined) {
    return t("cause.there", { cause: translated(there, t, language) ?? there });
  }
  const silence = SILENCE.exec(text)?.groups;
  if (silence !== undefined) {
    return `${t("cause.silence", { seconds: silence.seconds ?? "" })}${silence.more ?? ""}`;
  }
  const start = START.exec(text)?.groups?.time;
  if (start !== undefined) return t("cause.start", { time: local(start, language) });
  const hand = BY_HAND.exec(text)?.groups;
  if (hand !== undefined) {
    const { time } = hand;
    return time === undefined
      ? t("cause.hand")
      : t("cause.hand.until", { time: local(time, language) });
  }
  const over = HAND_OVER.exec(text)?.groups;
  if (over !== undefined) return meanwhile(t("cause.hand.over"), over, t, language);
  const schedule = SCHEDULE.exec(text)?.groups?.time;
  if (schedule !== undefined) return t("cause.schedule", { time: local(schedule, language) });
  const reading = BY_READING.exec(text)?.groups;
  if (reading !== undefined) return byReading(reading, t);
  const next = SUCCESSION.exec(text)?.groups;
  if (next === undefined) return null;
  return meanwhile(t("cause.succession", { rule: next.rule ?? "" }), next, t, language);
}

/**
 * @param {string} begin
 * @param {Record<string, string | undefined>} groups of `MEANWHILE`
 * @param {Translate} t
 * @param {Language} language
 */
function meanwhile(begin, groups, t, language) {
  const { since, id } = groups;
  let text = begin;
  if (since !== undefined) {
    text = t("cause.decided", { cause: text, time: local(since, language) });
  }
  return id === undefined ? text : t("cause.and", { cause: text, more: byReading(groups, t) });
}

/**
 * @param {Record<string, string | undefined>} groups of `READING`
 * @param {Translate} t
 */
function byReading({ id, what, held, more }, t) {
  const text = t("cause.reading", { id: id ?? "", what: what ?? "" });
  const lasted = held === undefined ? text : t("cause.held", { cause: text, seconds: held });
  return `${lasted}${more ?? ""}`;
}

/**
 * @param {string} time RFC 3339
 * @param {Language} language
 */
function local(time, language) {
  const millis = Date.parse(time);
  return Number.isNaN(millis) ? time : stamp(millis * 1_000, language);
}
