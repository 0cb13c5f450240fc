/**
 * What a page costs, by the browser's own tracing and counters.
 *
 * A frame is one that the page's own thread has begun; a loop of animation frames asks for each, so that a page on
 * which nothing moves has as many as the screen takes.
 */

import assert from "node:assert/strict";

/** @typedef {import("playwright-core").Page} Page */

/**
 * @typedef {object} Cost
 * @property {number} framesPerSecond
 * @property {number} ticksPerSecond animation frames that the page itself has counted
 * @property {number} worstMillis between two of them, but for one in a hundred
 * @property {number} longTasks longer than `LONG_MILLIS`, in each second
 * @property {number} longestMillis
 * @property {number} scriptShare of the time
 * @property {number} layoutShare styles and layout
 * @property {number} taskShare everything that the page's thread does
 */

/** A person feels what keeps the page for longer. */
const LONG_MILLIS = 50;
const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "__metadata"];
const FRAME = "FireAnimationFrame";
const TASK = "RunTask";
const MAIN_THREAD = "CrRendererMain";

/**
 * @param {Page} page
 * @param {number} seconds
 * @returns {Promise<Cost>}
 */
export async function cost(page, seconds) {
  const browser = page.context().browser();
  assert.ok(browser !== null);
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable");
  await browser.startTracing(page, { categories: CATEGORIES });
  const before = await counters(client);
  const ticks = await page.evaluate(countTicks, seconds * 1_000);
  const after = await counters(client);
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString("utf8"));
  await client.detach();
  const spent = after.Timestamp - before.Timestamp;
  /** @param {string[]} names */
  const share = (...names) =>
    names.reduce((sum, name) => sum + (after[name] ?? 0) - (before[name] ?? 0), 0) / spent;
  const gaps = ticks.slice(1).map((tick, index) => tick - (ticks[index] ?? tick));
  return {
    ...ofTrace(traceEvents, ticks.length),
    ticksPerSecond: gaps.length / (((ticks.at(-1) ?? 0) - (ticks[0] ?? 0)) / 1_000),
    worstMillis: quantile(gaps, 0.99),
    scriptShare: share("ScriptDuration"),
    layoutShare: share("LayoutDuration", "RecalcStyleDuration"),
    taskShare: share("TaskDuration"),
  };
}

/**
 * @typedef {object} Event
 * @property {string} name
 * @property {number} pid
 * @property {number} tid
 * @property {number} ts microseconds
 * @property {number} [dur]
 * @property {{name?: string}} [args]
 */

/**
 * Frames and long tasks of the thread that runs our page.
 * @param {Event[]} events
 * @param {number} ticks that the page has counted
 */
export function ofTrace(events, ticks) {
  const threads = events
    .filter(({ name, args }) => name === "thread_name" && args?.name === MAIN_THREAD)
    .map(({ pid, tid }) => events.filter((event) => event.pid === pid && event.tid === tid));
  const ours = threads.sort((a, b) => framesOf(b).length - framesOf(a).length)[0] ?? [];
  const frames = framesOf(ours);
  assert.ok(frames.length >= ticks / 2, `the trace has ${frames.length} of ${ticks} frames`);
  const [first, last] = [frames[0] ?? 0, frames.at(-1) ?? 0];
  const seconds = (last - first) / 1e6;
  const tasks = ours.filter(({ name, ts }) => name === TASK && ts >= first && ts <= last);
  const long = tasks.map(({ dur }) => (dur ?? 0) / 1_000).filter((millis) => millis > LONG_MILLIS);
  return {
    framesPerSecond: (frames.length - 1) / seconds,
    longTasks: long.length / seconds,
    longestMillis: Math.max(0, ...tasks.map(({ dur }) => (dur ?? 0) / 1_000)),
  };
}

/**
 * When frames began. Several callbacks of one frame are one: they follow each other at once.
 * @param {Event[]} events
 */
function framesOf(events) {
  const times = events.filter(({ name }) => name === FRAME).map(({ ts }) => ts);
  times.sort((a, b) => a - b);
  return times.filter((time, index) => time - (times[index - 1] ?? -1e9) > 4_000);
}

/**
 * @param {import("playwright-core").CDPSession} client
 * @returns {Promise<Record<string, number> & {Timestamp: number}>}
 */
async function counters(client) {
  const { metrics } = await client.send("Performance.getMetrics");
  const found = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  return { ...found, Timestamp: found.Timestamp ?? 0 };
}

/**
 * In the page: the times of its animation frames.
 * @param {number} millis
 * @returns {Promise<number[]>}
 */
function countTicks(millis) {
  return new Promise((done) => {
    /** @type {number[]} */
    const ticks = [];
    const tick = (/** @type {number} */ time) => {
      ticks.push(time);
      if (time - (ticks[0] ?? time) < millis) requestAnimationFrame(tick);
      else done(ticks);
    };
    requestAnimationFrame(tick);
  });
}

/**
 * @param {number[]} values
 * @param {number} part
 */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
