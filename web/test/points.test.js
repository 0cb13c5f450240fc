/** The points of the chart. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { axisRange, columns, extent, merge, POINTS_LEN_MAX, pointOf } from "../parts/points.js";
import { reading } from "./fixtures.js";

/** @param {number[]} seconds */
const points = (...seconds) => seconds.map((at) => ({ id: at, seconds: at, value: at }));
/** @param {readonly {seconds: number}[]} found */
const times = (found) => found.map(({ seconds }) => seconds);

test("points come in order, once each, and leave when they are old", () => {
  assert.deepEqual(times(merge(points(1, 2), points(3), 0)), [1, 2, 3]);
  assert.deepEqual(times(merge(points(1, 3), points(2), 0)), [1, 2, 3]);
  assert.deepEqual(times(merge(points(1, 2, 3), points(2, 3, 4), 0)), [1, 2, 3, 4]);
  assert.deepEqual(times(merge(points(1, 2, 3), points(4), 3)), [3, 4]);
  assert.deepEqual(merge(points(1), [], 2), []);
});

test("however many come, so many are kept", () => {
  const many = Array.from({ length: POINTS_LEN_MAX + 10 }, (_, at) => ({
    id: at,
    seconds: at,
    value: 0,
  }));
  assert.equal(merge([], many, 0).length, POINTS_LEN_MAX);
});

test("where readings are missing the line is broken", () => {
  assert.deepEqual(columns(points(0, 2, 4, 20, 22)), [
    [0, 2, 4, 12, 20, 22],
    [0, 2, 4, null, 20, 22],
  ]);
  assert.deepEqual(columns(points(0, 0.1, 1)), [
    [0, 0.1, 1],
    [0, 0.1, 1],
  ]);
  assert.deepEqual(columns([]), [[], []]);
});

test("temperatures of any unit are drawn in °C", () => {
  assert.equal(pointOf(reading({ value: 77, unit: "°F", celsius: 25 })).value, 25);
  assert.equal(pointOf(reading({ value: 40, unit: "%", celsius: null })).value, 40);
});

test("the axis holds the values, and the threshold where it is near", () => {
  const range = (
    /** @type {number} */ low,
    /** @type {number} */ high,
    /** @type {number | null} */ at,
  ) => axisRange({ low, high }, at);
  const [low, high] = range(21, 24, 25);
  assert.ok(low < 21 && high > 25);
  assert.ok(range(-40, -39, 25)[1] < 0);
  const [flatLow, flatHigh] = range(20, 20, null);
  assert.ok(flatHigh - flatLow >= 2);
  assert.deepEqual(extent(points(3, 1, 2)), { low: 1, high: 3 });
  assert.equal(extent([]), null);
  const [emptyLow, emptyHigh] = axisRange(null, null);
  assert.ok(emptyHigh > emptyLow);
});
