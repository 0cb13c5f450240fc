/** The last picture of the gateway: what is kept says the same when it is shown again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pictureOf } from "../parts/away.js";
import { zoneName } from "../parts/clocks.js";
import { ageMillis, apply, createModel } from "../parts/state.js";
import { actuator, NOW_MICROS, NOW_MILLIS, reading, snapshot } from "./fixtures.js";

test("what is kept is what was known, and its ages go by the gateway's clock", () => {
  const model = createModel();
  assert.equal(pictureOf(model, NOW_MILLIS), null, "nothing is known");
  // Our clock is an hour behind.
  const behindMillis = NOW_MILLIS - 3_600_000;
  const counts = { received: 2, stored: 1, duplicate: 0, rejected: 1, in_flight: 0, ignored: 0 };
  apply(model, snapshot({ readings: [reading()], actuators: [actuator()], counts }), behindMillis);
  const newer = reading({ id: 2, at_micros: NOW_MICROS + 2_000_000 });
  apply(model, { type: "reading", reading: newer }, behindMillis + 2_000);
  const picture = pictureOf(model, behindMillis + 5_000);
  assert.ok(picture !== null);
  assert.equal(picture.frame.now_micros, NOW_MICROS + 5_000_000);
  const { frame } = JSON.parse(JSON.stringify(picture));
  const again = createModel();
  apply(again, frame, behindMillis + 5_000);
  assert.deepEqual(
    [...again.series.values()].map(({ latest }) => latest),
    [newer],
  );
  assert.deepEqual([...again.actuators.values()], [actuator()]);
  assert.deepEqual(again.counts, counts);
  const [series] = again.series.values();
  assert.ok(series !== undefined);
  assert.equal(ageMillis(again, series, behindMillis + 62_000), 60_000);
});

test("of a very large house as many series are kept as have a card", () => {
  const model = createModel();
  const readings = Array.from({ length: 1_500 }, (_, index) => reading({ device: `d${index}` }));
  apply(model, snapshot({ readings }), NOW_MILLIS);
  const picture = pictureOf(model, NOW_MILLIS);
  assert.equal(picture?.frame.readings.length, 1_000);
  // Browsers give a page five million characters.
  assert.ok(JSON.stringify(picture).length < 1_000_000);
});

test("a zone is named as far as it is known", () => {
  /** @type {[string | null, number, string][]} */
  const cases = [
    ["Asia/Shanghai", 28_800, "Asia/Shanghai, UTC+8"],
    ["America/St_Johns", -12_600, "America/St_Johns, UTC−3:30"],
    [null, 20_700, "UTC+5:45"],
    ["UTC", 0, "UTC"],
    [null, 0, "UTC"],
  ];
  for (const [name, offset_seconds, expected] of cases) {
    assert.equal(zoneName({ name, offset_seconds }), expected);
  }
});
