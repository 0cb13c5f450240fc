/** The line on a card: what it keeps, and where it breaks off. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { add, HEIGHT, line, SPOTS_LEN_MAX, spanMicros, WIDTH } from "../parts/spark.js";

const SECOND = 1_000_000;

/**
 * @param {number[]} seconds
 * @param {number} [span]
 */
function spotsAt(seconds, span = 60 * SECOND) {
  /** @type {import("../parts/spark.js").Spot[]} */
  const spots = [];
  for (const second of seconds) add(spots, { micros: second * SECOND, value: second }, span);
  return spots;
}

test("spots are in the order of time, each once, whatever order they come in", () => {
  const spots = spotsAt([10, 30, 20, 30, 20]);
  assert.deepEqual(
    spots.map(({ micros }) => micros / SECOND),
    [10, 20, 30],
  );
});

test("what is older than the picture goes, and it never holds more than it can show", () => {
  assert.deepEqual(
    spotsAt([1, 2, 70]).map(({ value }) => value),
    [70],
  );
  const fast = spotsAt(Array.from({ length: 5_000 }, (_, index) => index / 100));
  assert.ok(fast.length <= SPOTS_LEN_MAX, `${fast.length}`);
  assert.equal(fast.at(-1)?.value, 49.99, "the newest is always there");
});

test("a line goes from neighbour to neighbour, and breaks off where readings are missing", () => {
  const spots = spotsAt([2, 4, 6, 8, 30, 32]);
  const path = line(spots, 2_000, 32 * SECOND);
  assert.equal(path.match(/M/g)?.length, 2);
  assert.equal(path.match(/L/g)?.length, 4);
});

test("a spot alone is a dot, and silence is room at the right", () => {
  const path = line(spotsAt([0]), null, 30 * SECOND);
  assert.equal(path, `M${WIDTH / 2} ${HEIGHT / 2}h0`);
  assert.equal(line(spotsAt([0]), null, 61 * SECOND), "", "and then it has left the picture");
});

test("everything stays inside, and a higher value is higher up", () => {
  const spots = spotsAt([0, 10, 20, 30]);
  const path = line(spots, 10_000, 30 * SECOND);
  const ys = [...path.matchAll(/ (-?[\d.]+)/g)].map(([, y]) => Number(y));
  assert.deepEqual(
    ys,
    [...ys].sort((a, b) => b - a),
  );
  assert.ok(ys.every((y) => y >= 0 && y <= HEIGHT));
});

test("a device that speaks every hour shows more than a minute", () => {
  assert.equal(spanMicros(null), 60 * SECOND);
  assert.equal(spanMicros(3_600_000), 40 * 3_600 * SECOND);
});
