/** What a rule waits for, in words. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { countdown } from "../parts/format.js";
import { translator } from "../parts/i18n.js";
import { actuatorLine, stateText, timerLine } from "../parts/timers.js";
import { NOW_MICROS, NOW_MILLIS } from "./fixtures.js";

const words = { t: translator("en"), language: /** @type {const} */ ("en") };

/**
 * @param {"for" | "dwell" | "max_age" | "schedule" | "override"} timer
 * @param {"on" | "off" | "hold" | "begin"} does
 * @param {number} seconds
 */
const pending = (timer, does, seconds) => ({
  timer,
  does,
  at: "",
  at_micros: NOW_MICROS + seconds * 1e6,
});

test("a clock runs backwards and stands still at its end", () => {
  const shown = [7_198_001, 60_000, 59_999, 1_001, 1_000, 1, 0, -5_000, 777_600_000].map(countdown);
  assert.deepEqual(shown, [
    "1:59:59",
    "1:00",
    "1:00",
    "0:02",
    "0:01",
    "0:01",
    "0:00",
    "0:00",
    "216:00:00",
  ]);
});

test("each time says what is done when it has run out", () => {
  const line = (/** @type {Parameters<typeof pending>} */ ...of) =>
    timerLine(words, pending(...of), NOW_MILLIS);
  assert.equal(line("for", "on", 3_598), "on in 59:58 (for: if it holds so long)");
  assert.equal(line("max_age", "hold", 9), "stays as it is in 0:09 (max_age: if no reading comes)");
  assert.equal(line("schedule", "begin", 0), "begins in 0:00 (schedule)");
});

test("a rule says how it is, and whether it understands what it reads", () => {
  /** @type {import("../wire.d.ts").RuleState} */
  const rule = {
    name: "r",
    state: "unknown",
    since: null,
    since_micros: null,
    reading: null,
    condition: "",
    silent: false,
    in_force: true,
    blind_since: null,
    blind_since_micros: null,
    pending: [],
  };
  assert.equal(stateText(words, rule, NOW_MILLIS), "unknown");
  const blind = { ...rule, blind_since_micros: NOW_MICROS };
  assert.match(
    stateText(words, blind, NOW_MILLIS),
    /^unknown, understands none of its readings since \d\d:\d\d:\d\d$/,
  );
  const off = { ...rule, state: /** @type {const} */ ("off"), since_micros: NOW_MICROS };
  const quiet = { ...off, silent: true, in_force: false };
  assert.match(
    stateText(words, quiet, NOW_MILLIS),
    /^off since \d\d:\d\d:\d\d, out of its schedule, silent$/,
  );
});

test("an actuator says whose word stands, and until when", () => {
  const one = { name: "LED\u202e", manual: /** @type {const} */ ("on"), pending: null };
  assert.equal(
    actuatorLine(words, one, NOW_MILLIS),
    "LED\\u{202e} on by hand: until a person says so",
  );
  const waits = { ...one, name: "LED", manual: /** @type {const} */ ("unknown") };
  const dwell = { ...waits, pending: pending("dwell", "off", 2) };
  assert.equal(actuatorLine(words, dwell, NOW_MILLIS), "LED: off in 0:02 (dwell: not before)");
});
