/** What the picture of the path says of each part, and where each stands. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { en } from "../parts/en.js";
import { translator } from "../parts/i18n.js";
import { layout } from "../parts/layout.js";
import { hops } from "../parts/path.js";
import { apply, createModel } from "../parts/state.js";
import { actuator, NOW_MICROS, NOW_MILLIS, reading, snapshot } from "./fixtures.js";

const t = translator("en");

/** @type {import("../wire.d.ts").Path} */
const PATH = {
  received_per_minute: 30,
  stored_per_minute: 29,
  decided_per_minute: 2,
  applied_per_minute: 2,
  taken_to_arrived_micros: null,
  arrived_to_stored_micros: 2_100,
  arrived_to_decided_micros: 300,
  decided_to_applied_micros: 900,
  broker_lost: null,
  broker_sessions_lost: 0,
  failing_since: null,
  failing_since_micros: null,
  rules_refused: null,
  rules_blind: null,
  alerts_stuck: null,
};

const RULE = { name: "r", when: "a/b", on: "celsius > 1", off: null, actuators: ["TEMP_LED"] };

/**
 * @param {Partial<import("../parts/path.js").Known>} [more]
 * @param {Partial<ReturnType<typeof snapshot>>} [frame]
 */
function judged(more = {}, frame = {}) {
  const model = createModel();
  const whole = { readings: [reading()], actuators: [actuator()], rules: [RULE], ...frame };
  apply(model, snapshot(whole), NOW_MILLIS);
  const known = { model, path: PATH, database: null, isOpen: true, nowMillis: NOW_MILLIS, ...more };
  const found = hops(known, t, "en");
  /** @param {import("../parts/path.js").Place} place */
  return (place) => {
    const hop = found.find((one) => one.place === place);
    assert.ok(hop !== undefined, place);
    return hop;
  };
}

test("where everything works, each part says how much passes and how long it took", () => {
  const of = judged();
  for (const place of /** @type {const} */ (["sensor", "broker", "gateway", "store", "rules"])) {
    assert.equal(of(place).state, "good", place);
  }
  assert.deepEqual([of("store").figure, of("store").latency], ["29 / min", "2.1 ms"]);
  assert.deepEqual([of("actuator").figure, of("actuator").latency], ["2 / min", "900 µs"]);
  assert.equal(of("rules").latency, "300 µs");
  assert.equal(of("gateway").figure, "30 / min");
});

test("rules that cannot decide are broken and say what to do", () => {
  const since = { since: "", since_micros: NOW_MICROS };
  const cases = /** @type {const} */ ([
    [
      { rules_refused: { version: 5, reason: "no actuator", ...since } },
      /^version 5 could not be used at the start, .*\(no actuator\)$/,
      /Edit and try/,
    ],
    [
      { rules_blind: { rule: "damp\u202e", more: 2, ...since } },
      /^damp\\u\{202e\} understands none of its readings since \d\d:\d\d:\d\d .*2/,
      /mtom rules check/,
    ],
    [
      {
        alerts_stuck: {
          waiting: 3,
          rule: "heat",
          target: "http://127.0.0.1:1",
          reason: "refused",
          ...since,
        },
      },
      /^Alerts wait: 3; heat is not taken by http:\/\/127\.0\.0\.1:1 since .*\(refused\)$/,
      /start what should take it/,
    ],
  ]);
  for (const [more, trouble, next] of cases) {
    const hop = judged({ path: { ...PATH, ...more } })("rules");
    assert.equal(hop.state, "broken");
    assert.match(hop.trouble, trouble);
    assert.match(hop.next, next);
    assert.equal(hop.figure, "2 / min");
  }
});

test("an empty house waits and nothing is broken", () => {
  const of = judged({}, { readings: [], actuators: [], rules: [] });
  assert.deepEqual(
    [of("sensor").state, of("rules").state, of("actuator").state],
    ["idle", "idle", "idle"],
  );
});

test("the sensor's part is broken when no sensor at all is heard", () => {
  assert.equal(judged({ nowMillis: NOW_MILLIS + 60_000 })("sensor").state, "broken");
  const late = reading({ device: "Cellar", at_micros: NOW_MICROS + 59_000_000 });
  const of = judged({ nowMillis: NOW_MILLIS + 60_000 }, { readings: [reading(), late] });
  assert.equal(of("sensor").state, "good", "one of two is");
});

test("a broker, a disk, a database and a link that are broken say so with the next step", () => {
  const since = "2026-11-23T08:06:30.000000Z";
  const lost = { url: "mqtt://far:1883", since, since_micros: NOW_MICROS, reason: "refused" };
  const broker = judged({ path: { ...PATH, broker_lost: lost } })("broker");
  assert.equal(broker.state, "broken");
  assert.match(broker.trouble, /^no connection to mqtt:\/\/far:1883 since .*: refused$/);
  assert.equal(broker.next, en["path.broker.next"]);

  const failing = { ...PATH, failing_since: since, failing_since_micros: NOW_MICROS };
  assert.equal(judged({ path: failing })("store").next, "make room, or move data.dir");

  /** @type {import("../wire.d.ts").Database} */
  const database = {
    state: "away",
    reason: "no route",
    since: null,
    since_micros: null,
    drained: null,
    newest: 1,
    backlog: 1,
    backlog_age_micros: 1,
    rows_per_second: 0,
    outages: 1,
    warnings: [],
  };
  assert.match(judged({ database })("store").trouble, /no route/);

  const down = actuator({ link_state: "broken", link_reason: "connection refused" });
  const other = actuator({ name: "FAN", link_state: "away" });
  const link = judged({}, { actuators: [down, other] })("actuator");
  assert.equal(link.state, "broken");
  assert.match(
    link.trouble,
    /FAN: the link is away and 1 more|TEMP_LED: .*connection refused.* and 1 more/,
  );
});

test("while the gateway is away nothing is claimed of the others", () => {
  const of = judged({ isOpen: false });
  assert.equal(of("gateway").next, "start it with mtom up");
  for (const place of /** @type {const} */ (["sensor", "broker", "store", "rules", "actuator"])) {
    assert.equal(of(place).state, "idle", place);
  }
});

test("what is broken is said in the words of mtom doctor", () => {
  // Its sentences go over several lines, each ended by a backslash.
  const file = new URL("../../crates/mtom/src/doctor.rs", import.meta.url);
  const doctor = readFileSync(file, "utf8").replaceAll(/\\\n\s*/g, "");
  // What keeps us from a broker comes with its next step, from where the doctor has it too.
  for (const key of /** @type {const} */ ([
    "path.gateway.away",
    "path.gateway.next",
    "path.store.next",
    "path.database.next",
  ])) {
    assert.ok(doctor.includes(en[key]), `mtom doctor does not say ${en[key]}`);
  }
});

for (const width of [280, 330, 599, 600, 900, 1500]) {
  test(`at ${width} px every part is inside and none covers another`, () => {
    const { boxes, wires, height } = layout(width);
    for (const box of boxes) {
      assert.ok(box.x >= 0 && box.x + box.width <= width, `${box.place} leaves at the side`);
      assert.ok(box.y >= 0 && box.y + box.height <= height, `${box.place} leaves below`);
      for (const other of boxes) {
        if (other === box) continue;
        const beside = box.x + box.width <= other.x || other.x + other.width <= box.x;
        const below = box.y + box.height <= other.y || other.y + other.height <= box.y;
        assert.ok(beside || below, `${box.place} covers ${other.place}`);
      }
    }
    assert.equal(wires.length, 5);
  });
}
