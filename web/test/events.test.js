/** The sentences of the log, the LED's judgement, and the threshold that is drawn. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { rejectReason, sentence } from "../parts/events.js";
import { isKey, translator } from "../parts/i18n.js";
import { judge } from "../parts/leds.js";
import { matches, risingThreshold, thresholds, valueOn } from "../parts/threshold.js";
import { actuator } from "./fixtures.js";

const en = translator("en");
const zh = translator("zh");
const rule = { name: "r", when: "Environ/+", on: "celsius >= 25.0", off: null, actuators: [] };

/** @param {import("../wire.d.ts").LogEvent} event */
const line = (event) => ({
  id: 1,
  at: "",
  at_micros: 0,
  hop: "gateway",
  text: "in English",
  event,
});

test("there is a sentence for every event that the gateway has", () => {
  const types = readFileSync(new URL("../wire.d.ts", import.meta.url), "utf8");
  const kinds = [...types.matchAll(/"kind": "(\w+)"/g)].map((match) => match[1]);
  assert.ok(kinds.length >= 14);
  for (const kind of kinds) assert.ok(isKey(`event.${kind}`), kind);
});

test("there is a sentence for every reason of a reject", () => {
  const path = "../../crates/mtom-protocol/src/payload.rs";
  const source = readFileSync(new URL(path, import.meta.url), "utf8");
  const codes = [...source.matchAll(/Self::\w+(?: \{ \.\. \})? => "(\w+)"/g)].map(
    (match) => match[1],
  );
  assert.ok(codes.length >= 18);
  for (const code of codes) assert.ok(isKey(`reject.${code}`), code);
});

test("events are said in the language of the page", () => {
  const applied = line({
    kind: "applied",
    actuator: "LED",
    number: 7,
    led: "on",
    latency_micros: 2_100,
  });
  assert.equal(sentence(applied, en, "en"), "LED is on by command 7, 2.1 ms after the decision");
  assert.equal(sentence(applied, zh, "zh"), "LED 已亮（命令 7），决策后 2.1 ms");
  const link = line({ kind: "link", actuator: "LED", state: "broken", reason: "reset" });
  assert.equal(sentence(link, en, "en"), "Link to LED broken: reset");
  const up = line({ kind: "link", actuator: "LED", state: "up", reason: "" });
  assert.equal(sentence(up, zh, "zh"), "LED 的链路已连接");
});

test("what a newer gateway says is said in its own words", () => {
  const unknown = /** @type {import("../wire.d.ts").LogEvent} */ (
    /** @type {unknown} */ ({ kind: "from_the_future" })
  );
  assert.equal(sentence(line(unknown), zh, "zh"), "in English");
  assert.equal(rejectReason("from_the_future", "its reason", zh), "its reason");
});

test("a topic that is made to harm is shown as it is, on one line", () => {
  const topic = "Environ/<img src=x onerror=alert(1)>\n{reason}";
  const event = line({ kind: "rejected", topic, code: "empty", reason: "" });
  const said = sentence(event, en, "en");
  assert.equal(
    said,
    "Rejected on Environ/<img src=x onerror=alert(1)>\\u{a}{reason}: the payload is empty",
  );
});

test("the LED is what the device says, or what it was told", () => {
  const on = { led: /** @type {const} */ ("on"), number: 2, at: "", at_micros: 0 };
  const off = { ...on, led: /** @type {const} */ ("off") };
  const desired = { ...on, rule: "r", cause: "c" };
  /** @type {[Partial<import("../wire.d.ts").Actuator>, string, boolean, string][]} */
  const cases = [
    [{ reported: on, desired }, "on", true, "as the device reports it"],
    [{ reported: off, desired }, "off", true, "sent; waiting for the device to answer"],
    [{ reported: on, link_state: "broken" }, "on", false, "as last reported; the link is broken"],
    [{ sent: on, desired }, "on", false, "sent; this device never answers"],
    [{ desired }, "unknown", false, "nothing was sent yet"],
  ];
  for (const [fields, lamp, isSure, says] of cases) {
    assert.deepEqual(judge(actuator(fields), en), { lamp, isSure, says });
  }
});

test("a rule as simple as the original's has its lines in the chart", () => {
  /** @type {[Partial<import("../wire.d.ts").Rule>, [string, number][]][]} */
  const cases = [
    [{}, [["on", 25]]],
    [{ on: " celsius>-3.5 " }, [["on", -3.5]]],
    [{ on: "fahrenheit >= 77" }, [["on", 25]]],
    [
      { off: "celsius < 24" },
      [
        ["on", 25],
        ["off", 24],
      ],
    ],
    [{ on: "celsius <= 5.0" }, [["on", 5]]],
    [{ on: "value > 60" }, [["on", 60]]],
    [{ on: "celsius >= 25.0 && age < 5" }, []],
    [{ when: "Other/#" }, []],
  ];
  for (const [fields, expected] of cases) {
    const found = thresholds([{ ...rule, ...fields }], "Environ/Temperature");
    assert.deepEqual(
      found.map(({ led, value }) => [led, value]),
      expected,
    );
  }
});

test("where the LED goes on when it gets warmer is said as the rule has it", () => {
  /** @type {[string, [number, boolean] | null][]} */
  const cases = [
    ["celsius >= 25.0", [25, true]],
    ["celsius > 25.0", [25, false]],
    ["fahrenheit > 77", [25, false]],
    ["celsius < 5", null],
    ["value >= 60", null],
  ];
  for (const [on, expected] of cases) {
    const found = risingThreshold([{ ...rule, on }], "Environ/Temperature");
    const [value, isIncluded] = expected ?? [undefined, undefined];
    assert.deepEqual([found?.value, found?.isIncluded], [value, isIncluded], on);
  }
});

test("topic filters match as in MQTT", () => {
  /** @type {[string, string, boolean][]} */
  const cases = [
    ["a/b", "a/b", true],
    ["a/+", "a/b", true],
    ["a/+", "a/b/c", false],
    ["a/#", "a/b/c", true],
    ["a/#", "a", true],
    ["#", "$SYS/x", false],
    ["a/b/c", "a/b", false],
  ];
  for (const [filter, topic, expected] of cases) {
    assert.equal(matches(filter, topic), expected, `${filter} ${topic}`);
  }
});

test("a threshold lies where the device's own number lies on the curve", () => {
  const own = (/** @type {number} */ value) => ({ value, isDegrees: false });
  assert.equal(valueOn(own(77), "°C", "°F"), 25);
  assert.equal(valueOn(own(298.15), "°C", "K"), 25);
  assert.equal(valueOn(own(25), "°C", "°C"), 25);
  assert.equal(valueOn(own(40), "%", "%"), 40);
  assert.equal(valueOn(own(40), "°C", "%"), null);
  assert.equal(valueOn({ value: 25, isDegrees: true }, "°C", "°F"), 25);
  assert.equal(valueOn({ value: 25, isDegrees: true }, "%", "%"), null);
});
