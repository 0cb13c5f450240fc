/** Numbers, times and foreign texts as people read them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../parts/format.js";
import { translator } from "../parts/i18n.js";

const t = translator("en");

test("a value has its unit and its digits", () => {
  /** @type {[number, string, string][]} */
  const cases = [
    [23.4, "°C", "23.4 °C"],
    [25, "°C", "25.0 °C"],
    [-0.125, "°C", "-0.13 °C"],
    [77, "°F", "77.0 °F"],
    [40, "%", "40%"],
    [1013.25, "hPa", "1,013.25 hPa"],
    [7, "", "7"],
    [1e300, "W", "1e+300 W"],
    [1e-9, "A", "1e-9 A"],
    [0, "V", "0 V"],
  ];
  for (const [value, unit, expected] of cases) {
    assert.equal(format.measured(value, unit, "en"), expected);
  }
  assert.equal(format.converted(82.76, "en"), "82.8");
});

test("a moment of long ago has its date", () => {
  const now = 1_795_421_190_000;
  const day = 86_400_000;
  const moment = (/** @type {number} */ millis) => format.moment(millis * 1_000, now, "en");
  assert.equal(moment(now - day), format.clock((now - day) * 1_000));
  assert.equal(moment(now - day - 1), format.stamp((now - day - 1) * 1_000, "en"));
});

test("an age grows from seconds to days", () => {
  /** @type {[number, string][]} */
  const cases = [
    [-5_000, "0 s"],
    [999, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_599_000, "59 min"],
    [3_660_000, "1 h 1 min"],
    [172_800_000, "2 d"],
  ];
  for (const [millis, expected] of cases) assert.equal(format.age(millis, t), expected);
  assert.equal(format.age(90_000, translator("zh")), "1 分钟");
});

test("a latency is said in the unit that fits", () => {
  assert.equal(format.latency(850, "en"), "850 µs");
  assert.equal(format.latency(2_107, "en"), "2.1 ms");
  assert.equal(format.latency(1_500_000, "en"), "1.5 s");
});

test("times are in the browser's zone, and a time that cannot be is a dash", () => {
  const micros = new Date(2026, 10, 23, 8, 6, 30, 45).getTime() * 1_000;
  assert.equal(format.clock(micros), "08:06:30");
  assert.equal(format.clock(micros, true), "08:06:30.045");
  assert.equal(format.stamp(micros, "en"), "Nov 23, 2026, 08:06:30");
  assert.equal(format.stamp(micros, "zh"), "2026/11/23 08:06:30");
  assert.equal(format.clock(1e300), "–");
});

test("foreign texts cannot hide, turn or flood", () => {
  assert.equal(format.plain("Küche / Temperature °C 厨房"), "Küche / Temperature °C 厨房");
  assert.equal(format.plain("a\u202eb\nc\0"), "a\\u{202e}b\\u{a}c\\u{0}");
  assert.equal(format.plain("😀".repeat(300), 2), "😀😀…");
  assert.equal(format.plain("<img src=x>"), "<img src=x>");
});

test("the ready command goes to an address that can be reached", () => {
  const line = (/** @type {string} */ address) => format.publishLine(address, "gateway.home");
  assert.match(line("127.0.0.1:1883"), /-h 127\.0\.0\.1 -p 1883 .*'26\.5 °C'$/);
  assert.match(line("0.0.0.0:1883"), /-h gateway\.home -p 1883 /);
  assert.match(line("[::]:1884"), /-h gateway\.home -p 1884 /);
  assert.match(line("[::1]:1884"), /-h ::1 -p 1884 /);
});
