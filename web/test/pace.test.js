/** When the picture follows: at once where something was decided, ten times a second where readings flow. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CALM_MILLIS, createPace } from "../parts/pace.js";

/** A world whose time and frames stand still until they are moved on. */
function still() {
  let now = 1_000;
  /** @type {(() => void)[]} */
  let frames = [];
  /** @type {Map<number, {run: () => void, at: number}>} */
  const timers = new Map();
  let count = 0;
  /** @type {import("../parts/pace.js").World} */
  const world = {
    nowMillis: () => now,
    inFrame: (run) => void frames.push(run),
    after: (run, millis) => {
      count += 1;
      timers.set(count, { run, at: now + millis });
      return count;
    },
    cancel: (timer) => void timers.delete(timer),
  };
  /** @type {string[][]} */
  const painted = [];
  const change = createPace((parts) => void painted.push([...parts].sort()), world);
  return {
    change,
    painted,
    frame() {
      const due = frames;
      frames = [];
      for (const run of due) run();
    },
    /** @param {number} millis */
    pass(millis) {
      now += millis;
      for (const [timer, { run, at }] of timers) {
        if (at > now) continue;
        timers.delete(timer);
        run();
      }
    },
    waiting: () => ({ frames: frames.length, timers: timers.size }),
  };
}

test("the first reading is shown in the next frame, and what comes after it within a tenth of a second", () => {
  const { change, painted, frame, pass } = still();
  change(["readings"]);
  change(["readings", "log"]);
  frame();
  assert.deepEqual(painted, [["log", "readings"]]);
  for (let count = 0; count < 9; count += 1) {
    pass(10);
    change(["readings"]);
    frame();
  }
  assert.equal(painted.length, 1);
  pass(CALM_MILLIS - 90);
  frame();
  assert.deepEqual(painted[1], ["readings"]);
  pass(CALM_MILLIS);
  frame();
  assert.equal(painted.length, 2, "nothing new is no picture");
});

test("what an actuator did is shown at once, with what waits, and only once", () => {
  const { change, painted, frame, pass, waiting } = still();
  change(["readings"]);
  frame();
  pass(1);
  change(["readings"]);
  change(["actuators"]);
  frame();
  assert.deepEqual(painted[1], ["actuators", "readings"]);
  assert.deepEqual(waiting(), { frames: 0, timers: 0 });
  for (const part of /** @type {const} */ (["snapshot", "series", "lagged"])) {
    change([part]);
    frame();
    assert.deepEqual(painted.at(-1), [part]);
  }
});

test("a frame of which nothing is known shows nothing", () => {
  const { change, painted, frame, waiting } = still();
  change([]);
  assert.deepEqual(waiting(), { frames: 0, timers: 0 });
  frame();
  assert.equal(painted.length, 0);
});
