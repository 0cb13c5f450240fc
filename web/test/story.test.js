/** The story behind an LED, and when the ledger is asked again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { translator } from "../parts/i18n.js";
import { isBehind, story } from "../parts/story.js";
import { actuator, NOW_MICROS, reading } from "./fixtures.js";

/** @typedef {import("../wire.d.ts").Command} Command */

const en = translator("en");
const zh = translator("zh");
const AT = "2026-11-23T08:06:30.000000Z";

/**
 * Taken at 0 s, arrived 20 ms later, decided at 10.02 s, sent and applied at once.
 * @param {Partial<Command>} [fields]
 * @returns {import("../wire.d.ts").Why}
 */
function why(fields = {}) {
  return {
    command: {
      number: 7,
      actuator: "TEMP_LED",
      led: "on",
      rule: "heat lamp",
      rule_version: "0123456789abcdef",
      condition: "celsius >= 25.0, where celsius is 26.5",
      reading: 41,
      cause: "reading 41: Environ/Temperature 26.5 °C, for 10 s",
      decided_at: AT,
      decided_at_micros: NOW_MICROS + 10_020_000,
      sent_at: AT,
      sent_at_micros: NOW_MICROS + 10_020_300,
      applied_at: AT,
      applied_at_micros: NOW_MICROS + 10_022_400,
      refused_at: null,
      refused_at_micros: null,
      refused_reason: null,
      ...fields,
    },
    reading: reading({
      id: 41,
      value: 26.5,
      taken_at: AT,
      taken_at_micros: NOW_MICROS,
      arrived_at_micros: NOW_MICROS + 20_000,
    }),
  };
}

const unanswered = { applied_at: null, applied_at_micros: null };

/** @param {import("../parts/story.js").Step[]} steps */
const lines = (steps) => steps.map(({ name, text, span, state }) => [name, text, span, state]);

test("a command is told from the reading to the device's word, with the spans between", () => {
  const steps = story(why(), en, "en");
  assert.deepEqual(lines(steps), [
    ["reading", "26.5 °C", "", "done"],
    ["taken", "", "", "done"],
    ["arrived", "", "20 ms later", "done"],
    ["rule", "heat lamp", "", "done"],
    ["decided", "on", "10 s later", "done"],
    ["sent", "", "300 µs later", "done"],
    ["applied", "", "2.1 ms later", "good"],
  ]);
  const [first, , , rule] = steps;
  assert.deepEqual(first?.details, ["Environ/Temperature", "reading 41"]);
  assert.equal(rule?.condition, "celsius >= 25.0, where celsius is 26.5");
  assert.deepEqual(rule?.details, [
    "reading 41: Environ/Temperature 26.5 °C, for 10 s",
    "version 0123456789abcdef",
  ]);
  assert.deepEqual(steps.at(-1)?.details, ["2.4 ms after the decision"]);
  for (const step of steps.filter(({ name }) => name !== "reading" && name !== "rule")) {
    assert.match(step.time, /^\d\d:\d\d:\d\d\.\d{3}$/, step.name);
  }
  assert.deepEqual(lines(story(why(), zh, "zh")).at(-3), ["decided", "亮", "10 s 后", "done"]);
});

test("a refused command has the device's reason", () => {
  const refused = { ...unanswered, refused_at: AT, refused_at_micros: NOW_MICROS + 10_030_300 };
  const told = (/** @type {string | null} */ reason) =>
    lines(story(why({ ...refused, refused_reason: reason }), en, "en")).at(-1);
  assert.deepEqual(told("busy\u202e"), ["refused", "busy\\u{202e}", "10 ms later", "bad"]);
  assert.deepEqual(told(null)?.[1], "no reason given");
});

test("what has not happened is said", () => {
  const last = (/** @type {Partial<Command>} */ fields) =>
    lines(story(why(fields), en, "en"))
      .slice(5)
      .map(([name, text]) => `${name}: ${text}`);
  const unsent = { sent_at: null, sent_at_micros: null };
  assert.deepEqual(last(unanswered), [
    "sent: ",
    "applied: the device has not said so; an original one never does",
  ]);
  assert.deepEqual(last({ ...unsent, ...unanswered }), [
    "sent: not yet, or a newer command took its place",
  ]);
  assert.deepEqual(last(unsent), ["sent: when is not known", "applied: "]);
});

test("a command without a reading says so, and a reading that is deleted has its number", () => {
  const manual = why({
    rule: "manual",
    rule_version: null,
    condition: null,
    reading: null,
    cause: "a person said so",
  });
  const steps = story({ ...manual, reading: null }, en, "en");
  assert.deepEqual(lines(steps).slice(0, 3), [
    ["reading", "none: it was not a reading that led to it", "", "open"],
    ["rule", "a person", "", "done"],
    ["decided", "on", "", "done"],
  ]);
  assert.equal(steps[1]?.condition, "");
  const [gone] = story({ ...why(), reading: null }, en, "en");
  assert.match(gone?.text ?? "", /^41 is not in the history any more/);
});

test("a rule of a person's word for its name stays a rule", () => {
  assert.equal(story(why({ rule: "manual" }), en, "en")[3]?.text, "manual");
});

test("a clock that cannot be true is not told as one, and one that is ahead has no negative span", () => {
  const { command, reading: known } = why();
  assert.ok(known !== null);
  const suspect = story({ command, reading: { ...known, suspect: true } }, en, "en");
  assert.deepEqual(
    suspect.map(({ name }) => name),
    ["reading", "arrived", "rule", "decided", "sent", "applied"],
  );
  assert.match(suspect[0]?.details.at(-1) ?? "", /clock is wrong/);
  const atOnce = { ...known, taken_at_micros: known.arrived_at_micros };
  assert.equal(story({ command, reading: atOnce }, en, "en")[2]?.span, "at once");
  const ahead = { ...known, taken_at_micros: NOW_MICROS + 25_000 };
  assert.equal(story({ command, reading: ahead }, en, "en")[2]?.span, "5 ms earlier");
});

test("a time of another day has its date, and a long span is said in minutes", () => {
  const { command, reading: known } = why();
  assert.ok(known !== null);
  const old = { ...known, taken_at_micros: NOW_MICROS - 86_400_000_000 * 3 };
  const [, taken, arrived] = story({ command, reading: old }, en, "en");
  assert.match(taken?.time ?? "", /2026.* \d\d:\d\d:\d\d\.\d{3}$/);
  assert.equal(arrived?.span, "3 d later");
});

test("texts that are made to harm are one line each", () => {
  const harm = "<img src=x onerror=alert(1)>\n\u202e";
  const steps = story(why({ rule: harm, condition: harm, cause: harm }), en, "en");
  const escaped = "<img src=x onerror=alert(1)>\\u{a}\\u{202e}";
  assert.equal(steps[3]?.text, escaped);
  assert.equal(steps[3]?.condition, escaped);
  assert.equal(steps[3]?.details[0], escaped);
});

test("the ledger is asked again until it knows what the live socket has said", () => {
  const state = { led: /** @type {const} */ ("on"), number: 7, at: AT, at_micros: NOW_MICROS };
  const desired = { ...state, rule: "r", cause: "c" };
  const unsent = why({ sent_at: null, sent_at_micros: null, ...unanswered });
  /** @type {[import("../wire.d.ts").Why | null, Partial<import("../wire.d.ts").Actuator>, boolean][]} */
  const cases = [
    [null, {}, false],
    [null, { desired }, true],
    [why(), { desired, sent: state, reported: state }, false],
    [why(), { desired: { ...desired, number: 8 } }, true],
    [unsent, { desired }, false],
    [unsent, { desired, sent: state }, true],
    [why(unanswered), { desired, sent: state }, false],
    [why(unanswered), { desired, sent: state, reported: state }, true],
  ];
  for (const [known, fields, expected] of cases) {
    assert.equal(isBehind(known, actuator(fields)), expected, JSON.stringify(fields));
  }
});
