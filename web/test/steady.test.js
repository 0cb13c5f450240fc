/** Which samples are those of a page that grows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { grown } from "./load/steady.js";
import { ofTrace } from "./load/trace.js";

/** @param {(turn: number) => Partial<import("./load/steady.js").Held>} at */
const samples = (at) =>
  Array.from({ length: 24 }, (_, turn) => ({
    heap: 20e6,
    nodes: 9_000,
    listeners: 2_000,
    ...at(turn),
  }));

test("what moves up and down is steady", () => {
  assert.deepEqual(grown(samples((turn) => ({ heap: 20e6 + (turn % 3) * 2e6 }))), []);
  assert.deepEqual(grown(samples((turn) => ({ nodes: 9_000 - turn }))), []);
});

test("what rises by a little each time is not", () => {
  assert.match(grown(samples((turn) => ({ heap: 20e6 + turn * 2e5 })))[0] ?? "", /^heap: 20/);
  assert.match(grown(samples((turn) => ({ nodes: 9_000 + turn * 50 })))[0] ?? "", /^nodes: 9/);
  assert.match(grown(samples((turn) => ({ listeners: 2_000 + turn * 10 })))[0] ?? "", /^listeners/);
});

test("frames and long tasks are those of the thread that paints", () => {
  const main = { pid: 7, tid: 1 };
  const events = [
    { name: "thread_name", ...main, ts: 0, args: { name: "CrRendererMain" } },
    { name: "thread_name", pid: 8, tid: 1, ts: 0, args: { name: "CrRendererMain" } },
    { name: "RunTask", pid: 8, tid: 1, ts: 500_000, dur: 900_000 },
    { name: "RunTask", ...main, ts: 500_000, dur: 80_000 },
    { name: "RunTask", ...main, ts: 700_000, dur: 10_000 },
    ...Array.from({ length: 51 }, (_, index) => [
      { name: "FireAnimationFrame", ...main, ts: index * 20_000 },
      { name: "FireAnimationFrame", ...main, ts: index * 20_000 + 900 },
    ]).flat(),
  ];
  const found = ofTrace(events, 51);
  assert.equal(Math.round(found.framesPerSecond), 50);
  assert.equal(Math.round(found.longTasks), 1);
  assert.equal(found.longestMillis, 80);
  assert.throws(() => ofTrace(events.slice(0, 5), 51), /the trace has 0 of 51 frames/);
});
