/** The points of the chart. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  axisRange,
  columns,
  curveOf,
  emptyCurve,
  extent,
  grown,
  nearest,
  PLACES,
} from "../parts/points.js";
import { reading } from "./fixtures.js";

/** @typedef {import("../parts/points.js").Curve} Curve */

/**
 * @param {number[]} seconds
 * @returns {import("../wire.d.ts").Reading[]} whose values are their seconds, from id 100 on
 */
const at = (...seconds) =>
  seconds.map((second) =>
    reading({ id: 100 + second, at_micros: second * 1e6, value: second, celsius: second }),
  );
/** @param {Curve} curve */
const times = (curve) => curve.points.map(({ seconds }) => seconds);
/** @param {number[]} seconds */
const live = (...seconds) => grown(emptyCurve(), at(...seconds), 0, 0.5);
/** @param {Curve} curve */
const drawn = (curve) => {
  const { seconds, values } = columns([curve], (value) => value);
  return [seconds, values[0]?.value];
};

test("readings come in order, and leave when they are old but for the one that leads in", () => {
  assert.deepEqual(times(grown(live(1, 3), at(2), 0, 0.5)), [1, 2, 3]);
  assert.deepEqual(times(grown(live(1, 2, 3), at(4), 3, 0.5)), [2, 3, 4]);
  assert.deepEqual(times(grown(live(5), at(1), 3, 0.5)), [5]);
});

test("what the gateway has told already is not taken twice", () => {
  const chart = {
    unit: "°C",
    level: "raw",
    width_micros: 0,
    points: [{ at_micros: 1e6, id: 101, count: 1, min: 1, max: 1, mean: 1, last: 1 }],
    gaps: [],
  };
  const told = curveOf(chart, 0, 10);
  assert.deepEqual(times(grown(told, at(1, 2), 0, 0.5)), [1, 2]);
  assert.deepEqual(grown(told, at(1), 0, 0.5).points[0]?.count, 1);
});

test("however fast they come, a curve has no more points than its picture has places", () => {
  const many = Array.from({ length: 30_000 }, (_, id) =>
    reading({ id: id + 1, at_micros: id * 1_000, value: id, celsius: id }),
  );
  const curve = grown(emptyCurve(), many, 0, 30 / PLACES);
  assert.ok(curve.points.length <= PLACES + 1, String(curve.points.length));
  const counted = curve.points.reduce((sum, { count }) => sum + count, 0);
  assert.equal(counted, many.length);
  assert.equal(curve.points[0]?.id, null);
  assert.deepEqual(extent(curve.points, 0, 40), { low: 0, high: 29_999, count: 30_000 });
});

test("where readings are missing the line is broken, until a late one comes", () => {
  const broken = live(0, 2, 4, 20, 22);
  assert.deepEqual(drawn(broken), [
    [0, 2, 4, 12, 20, 22],
    [0, 2, 4, null, 20, 22],
  ]);
  assert.deepEqual(drawn(grown(broken, at(12), 0, 0.5)), [
    [0, 2, 4, 12, 20, 22],
    [0, 2, 4, 12, 20, 22],
  ]);
  assert.deepEqual(drawn(live(0, 30)), [
    [0, 30],
    [0, 30],
  ]);
  assert.deepEqual(drawn(emptyCurve()), [[], []]);
});

test("sums stand in the middle of their spans, with their extremes, and their gaps are the gateway's", () => {
  const chart = {
    unit: "°F",
    level: "minute",
    width_micros: 60e6,
    points: [
      { at_micros: 0, id: null, count: 30, min: 68, max: 86, mean: 77, last: 77 },
      { at_micros: 300e6, id: null, count: 30, min: 77, max: 77, mean: 77, last: 77 },
    ],
    gaps: [{ from_micros: 0, until_micros: 300e6 }],
  };
  // The last minute has only begun.
  assert.deepEqual(times(curveOf(chart, 10, 320)), [35, 310]);
  const curve = curveOf(chart, 0, 360);
  assert.equal(curve.unit, "°C");
  const { seconds, values } = columns([curve], (value) => value * 1.8 + 32);
  assert.deepEqual(seconds, [30, 180, 330]);
  assert.deepEqual(values[0], {
    value: [77, null, 77],
    min: [68, null, 77],
    max: [86, null, 77],
  });
});

test("several curves share the times, and a curve has nothing where only another one has", () => {
  const { seconds, values } = columns([live(1, 3), live(2)], (value) => value);
  assert.deepEqual(seconds, [1, 2, 3]);
  assert.deepEqual(values[0]?.value, [1, undefined, 3]);
  assert.deepEqual(values[1]?.value, [undefined, 2, undefined]);
});

test("the cursor finds the nearest point", () => {
  const { points } = live(1, 5, 9);
  assert.equal(nearest(points, 0)?.id, 101);
  assert.equal(nearest(points, 6)?.id, 105);
  assert.equal(nearest(points, 8)?.id, 109);
  assert.equal(nearest(points, 99)?.id, 109);
  assert.equal(nearest([], 1), null);
});

test("the axis holds the values, and the thresholds that are near", () => {
  const range = (
    /** @type {number} */ low,
    /** @type {number} */ high,
    /** @type {number[]} */ limits,
  ) => axisRange({ low, high }, limits);
  const [low, high] = range(21, 24, [25, 900]);
  assert.ok(low < 21 && high > 25 && high < 100);
  assert.ok(range(-40, -39, [25])[1] < 0);
  const [flatLow, flatHigh] = range(20, 20, []);
  assert.ok(flatHigh - flatLow >= 2);
  const [emptyLow, emptyHigh] = axisRange(null, []);
  assert.ok(emptyHigh > emptyLow);
});
