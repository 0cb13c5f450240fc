/** What each frame changes in what the page knows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as state from "../parts/state.js";
import { actuator, NOW_MICROS, NOW_MILLIS, reading, snapshot } from "./fixtures.js";

const SECOND = 1_000_000;

/** @param {import("../wire.d.ts").Frame[]} frames */
function after(...frames) {
  const model = state.createModel();
  for (const frame of frames) state.apply(model, frame, NOW_MILLIS);
  return model;
}

test("a snapshot replaces everything, and says how far the clocks are apart", () => {
  const model = state.createModel();
  const frame = snapshot({
    readings: [reading({ device: "gone" })],
    actuators: [actuator()],
    now_micros: NOW_MICROS + 2 * SECOND,
  });
  assert.deepEqual(state.apply(model, frame, NOW_MILLIS), ["snapshot"]);
  assert.equal(model.skewMillis, 2_000);
  assert.equal(model.actuators.size, 1);
  state.apply(model, snapshot({ readings: [reading()] }), NOW_MILLIS);
  assert.equal(model.series.size, 1);
  assert.equal(model.actuators.size, 0);
  assert.equal(state.selected(model)?.latest.device, "Environ");
});

test("a device is there or has gone as it says, until a snapshot says otherwise", () => {
  const said = (/** @type {boolean} */ available) => ({
    device: "plug",
    available,
    since: "",
    since_micros: NOW_MICROS,
    since_latest: false,
  });
  const model = after(snapshot({ availability: [said(true)] }));
  assert.equal(model.availability.get("plug")?.available, true);
  const gone = state.apply(model, { type: "availability", availability: said(false) }, NOW_MILLIS);
  assert.deepEqual(gone, ["devices"]);
  assert.equal(model.availability.get("plug")?.available, false);
  state.apply(model, snapshot(), NOW_MILLIS);
  assert.equal(model.availability.size, 0);
});

test("a late reading is new and not the newest", () => {
  const model = after(snapshot({ readings: [reading({ id: 5 })] }));
  const late = reading({ id: 6, at_micros: NOW_MICROS - SECOND });
  state.apply(model, { type: "reading", reading: late }, NOW_MILLIS);
  assert.equal(state.selected(model)?.latest.id, 5);
  assert.deepEqual(
    model.fresh.map(({ id }) => id),
    [6],
  );
});

test("a temperature is shown before anything else, unless a person has chosen", () => {
  const humidity = reading({ quantity: "Humidity", unit: "%", celsius: null, fahrenheit: null });
  const first = after({ type: "reading", reading: humidity });
  assert.equal(state.selected(first)?.latest.quantity, "Humidity");
  state.apply(first, { type: "reading", reading: reading() }, NOW_MILLIS);
  assert.equal(state.selected(first)?.latest.quantity, "Temperature");

  const chosen = after(snapshot({ readings: [humidity] }));
  state.select(chosen, state.seriesKey(humidity));
  state.apply(chosen, { type: "reading", reading: reading() }, NOW_MILLIS);
  assert.equal(state.selected(chosen)?.latest.quantity, "Humidity");
  state.select(chosen, "no such series");
  assert.equal(state.selected(chosen)?.latest.quantity, "Humidity");
});

test("a series is stale after three missed readings", () => {
  const model = state.createModel();
  for (let index = 0; index < 5; index += 1) {
    const at_micros = NOW_MICROS + index * 2 * SECOND;
    const frame = {
      type: /** @type {const} */ ("reading"),
      reading: reading({ id: index, at_micros }),
    };
    state.apply(model, frame, NOW_MILLIS);
  }
  const series = state.selected(model);
  assert.ok(series !== null);
  const last = NOW_MILLIS + 8_000;
  assert.equal(state.usualMillis(series.times), 2_000);
  assert.equal(state.isStale(model, series, last + 6_000), false);
  assert.equal(state.isStale(model, series, last + 6_001), true);
  assert.equal(state.ageMillis(model, series, last - 99_999), 0);
});

test("who has missed a reading while the gateway was away knows still how often it comes", () => {
  const minute = 60 * SECOND;
  const model = after(
    ...[0, 1, 2].map((index) => ({
      type: /** @type {const} */ ("reading"),
      reading: reading({ id: index, at_micros: NOW_MICROS + index * minute }),
    })),
  );
  const at_micros = NOW_MICROS + 5 * minute;
  const frame = snapshot({ readings: [reading({ id: 5, at_micros })], now_micros: at_micros });
  state.apply(model, frame, at_micros / 1_000);
  const series = state.selected(model);
  assert.ok(series !== null);
  assert.equal(series.times.at(-1), at_micros);
  assert.equal(state.usualMillis(series.times), 60_000);
  assert.equal(state.isStale(model, series, at_micros / 1_000 + 59_000), false);
  assert.equal(state.isStale(model, series, at_micros / 1_000 + 181_000), true);
});

test("before it is known how often it comes, the history tells", () => {
  const model = after(snapshot({ readings: [reading()] }));
  const series = state.selected(model);
  assert.ok(series !== null);
  assert.equal(state.isStale(model, series, NOW_MILLIS + 14_000), false);
  assert.equal(state.isStale(model, series, NOW_MILLIS + 16_000), true);
  state.seedTimes(model, series.key, [NOW_MICROS - 2 * SECOND, NOW_MICROS]);
  assert.equal(state.isStale(model, series, NOW_MILLIS + 14_000), true);
});

test("the log keeps its newest lines", () => {
  const model = state.createModel();
  for (let id = 0; id < state.LOG_LEN + 5; id += 1) {
    const event = /** @type {const} */ ({ kind: "skipped", count: 1 });
    const entry = { id, at: "", at_micros: 0, hop: "gateway", text: "", event };
    state.apply(model, { type: "log", entry }, NOW_MILLIS);
  }
  assert.equal(model.log.length, state.LOG_LEN);
  assert.equal(model.log[0]?.id, 5);
});

test("what a newer gateway may say changes nothing", () => {
  const model = state.createModel();
  const frame = /** @type {import("../wire.d.ts").Frame} */ (
    /** @type {unknown} */ ({ type: "new" })
  );
  assert.deepEqual(state.apply(model, frame, NOW_MILLIS), []);
});

test("lost updates add up", () => {
  assert.equal(after({ type: "lagged", lagged: 3 }, { type: "lagged", lagged: 4 }).lagged, 7);
});
