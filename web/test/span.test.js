/** Moving in time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { actOf } from "../parts/keys.js";
import { chosen, edges, panned, SECONDS_MAX, SECONDS_MIN, zoomed } from "../parts/span.js";

const NOW = 1_000_000;

test("a live span ends now, a past one stands still", () => {
  assert.deepEqual(edges({ seconds: 600 }, NOW), [NOW - 600, NOW]);
  assert.deepEqual(edges({ from: 10, until: 20 }, NOW), [10, 20]);
});

test("a stretch is drawn in either direction, and is never nothing", () => {
  assert.deepEqual(chosen(10, 20, NOW), { from: 10, until: 20 });
  assert.deepEqual(chosen(20, 10, NOW), { from: 10, until: 20 });
  const [from, until] = edges(chosen(15, 15, NOW), NOW);
  assert.equal(until - from, SECONDS_MIN);
});

test("zooming keeps what is pointed at in its place, and the present at the end", () => {
  assert.deepEqual(zoomed({ from: 0, until: 100 }, NOW, 0.5), { from: 25, until: 75 });
  assert.deepEqual(zoomed({ from: 0, until: 100 }, NOW, 0.5, 20), { from: 10, until: 60 });
  assert.deepEqual(zoomed({ seconds: 100 }, NOW, 0.5), { seconds: 50 });
  assert.deepEqual(zoomed({ seconds: 100 }, NOW, 0.5, NOW - 50), {
    from: NOW - 75,
    until: NOW - 25,
  });
  assert.deepEqual(zoomed({ seconds: SECONDS_MAX }, NOW, 2), { seconds: SECONDS_MAX });
  assert.deepEqual(zoomed({ seconds: SECONDS_MIN }, NOW, 0.5), { seconds: SECONDS_MIN });
});

test("what is moved up to the present is live again", () => {
  const before = panned({ seconds: 100 }, NOW, -0.25);
  assert.deepEqual(before, { from: NOW - 125, until: NOW - 25 });
  assert.deepEqual(panned(before, NOW, 0.25), { seconds: 100 });
  assert.deepEqual(zoomed({ from: NOW - 100, until: NOW - 10 }, NOW, 4), { seconds: 360 });
});

test("each key has one meaning, and the others are left to the browser", () => {
  /** @type {string[]} */
  const done = [];
  const moves = {
    pan: (/** @type {number} */ steps) => done.push(`pan ${steps}`),
    zoom: (/** @type {boolean} */ isCloser) => done.push(isCloser ? "closer" : "further"),
    back: () => done.push("back"),
    reset: () => done.push("reset"),
    step: (/** @type {number} */ by) => done.push(`step ${by}`),
  };
  for (const [key, shiftKey] of /** @type {[string, boolean][]} */ ([
    ["ArrowLeft", false],
    ["ArrowRight", true],
    ["+", true],
    ["-", false],
    ["Escape", false],
    ["End", false],
  ])) {
    actOf({ key, shiftKey }, moves)?.();
  }
  assert.deepEqual(done, ["pan -1", "step 1", "closer", "further", "back", "reset"]);
  assert.equal(actOf({ key: "Tab", shiftKey: false }, moves), null);
});
