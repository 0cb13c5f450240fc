/** The connection comes back by itself, later and later, and says what it does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, delayMillis } from "../parts/live.js";
import { apply, createModel } from "../parts/state.js";
import { NOW_MILLIS, reading, snapshot } from "./fixtures.js";

/** @typedef {import("../wire.d.ts").Frame} Frame */

/** A world that a test holds in its hands. */
function createWorld() {
  /** @type {{onmessage: (message: {data: unknown}) => void, onclose: () => void}[]} */
  const sockets = [];
  /** @type {Map<number, {run: () => void, millis: number}>} */
  const timers = new Map();
  const world = {
    /** @param {string} _url */
    open(_url) {
      const socket = { onmessage() {}, onclose() {} };
      sockets.push(socket);
      return /** @type {WebSocket} */ (/** @type {unknown} */ (socket));
    },
    nowMillis: () => NOW_MILLIS,
    chance: () => 0.5,
    /**
     * @param {() => void} run
     * @param {number} millis
     */
    after(run, millis) {
      timers.set(sockets.length, { run, millis });
      return sockets.length;
    },
    /** @param {number} timer */
    cancel(timer) {
      timers.delete(timer);
    },
  };
  return { world, sockets, timers };
}

function connected() {
  const { world, sockets, timers } = createWorld();
  /** @type {unknown[]} */
  const frames = [];
  /** @type {string[]} */
  const states = [];
  const live = connect(
    "ws://x/live",
    (frame) => frames.push(frame),
    ({ state }) => states.push(state),
    world,
  );
  const say = (/** @type {unknown} */ data) => sockets.at(-1)?.onmessage({ data });
  const close = () => sockets.at(-1)?.onclose();
  const ring = () => {
    const [id, timer] = [...timers].at(-1) ?? [0, undefined];
    timers.delete(id);
    timer?.run();
  };
  return { live, frames, states, sockets, timers, say, close, ring };
}

test("waiting doubles up to a quarter of a minute, and no two pages come together", () => {
  assert.deepEqual(
    [1, 2, 3, 6, 60].map((tries) => delayMillis(tries, 0.5)),
    [500, 1_000, 2_000, 15_000, 15_000],
  );
  assert.equal(delayMillis(2, 0), 750);
  assert.equal(delayMillis(2, 1), 1_250);
});

test("it is open when the snapshot has come, and starts over from there", () => {
  const { states, frames, timers, say, close, ring } = connected();
  assert.deepEqual(states, ["connecting"]);
  close();
  ring();
  close();
  assert.equal([...timers.values()][0]?.millis, 1_000);
  ring();
  say(JSON.stringify(snapshot()));
  assert.deepEqual(states.slice(-2), ["connecting", "open"]);
  assert.equal(frames.length, 1);
  close();
  assert.equal([...timers.values()][0]?.millis, 500);
});

test("what is no frame disturbs nothing", () => {
  const { frames, say } = connected();
  for (const data of ["{", "", "null", new ArrayBuffer(1)]) say(data);
  assert.deepEqual(frames, []);
});

test("a batch is heard as the frames in it, in their order, whatever else is among them", () => {
  const { frames, say } = connected();
  const [first, second] = [20, 21].map((value) => ({
    type: "reading",
    reading: reading({ value }),
  }));
  const isNew = { type: "new", frames: [second] };
  say(JSON.stringify({ type: "batch", frames: [first, isNew, null, second] }));
  say(JSON.stringify(first));
  assert.deepEqual(frames, [first, isNew, second, first]);
  const model = createModel();
  for (const frame of frames) apply(model, /** @type {Frame} */ (frame), NOW_MILLIS);
  assert.deepEqual(
    model.fresh.map(({ value }) => value),
    [20, 21, 20],
  );
});

test("when the computer wakes up it does not wait any longer", () => {
  const { live, sockets, timers, close } = connected();
  live.hurry();
  assert.equal(sockets.length, 1, "it is not waiting");
  close();
  live.hurry();
  assert.deepEqual([sockets.length, timers.size], [2, 0]);
});
