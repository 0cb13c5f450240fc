/**
 * Whether a page that is kept open keeps its size: what it holds after the garbage is gone, again and again.
 *
 * A page grows while it fills what is bounded (the log, the lines of the cards), so the beginning does not count.
 * `plant` makes it grow for ever, so that a check which sees nothing is seen itself.
 */

import { quantile } from "./trace.js";

/** @typedef {import("playwright-core").CDPSession} Session */
/** @typedef {import("playwright-core").Page} Page */
/** @typedef {"heap" | "nodes" | "listeners"} Leak */
/** @typedef {Record<Leak, number>} Held heap in bytes */

/** What one sample may differ from another by chance. */
const SLACK = { heap: 1_000_000, nodes: 200, listeners: 20 };
/** The rest of what is allowed is a part of what is held. */
const PART = 0.05;

/**
 * What the page holds, without what nobody holds any more.
 * @param {Session} client
 * @returns {Promise<Held>}
 */
export async function held(client) {
  // What an object that is gone has held goes with the next one.
  for (let turn = 0; turn < 3; turn += 1) await client.send("HeapProfiler.collectGarbage");
  const { usedSize } = await client.send("Runtime.getHeapUsage");
  const { nodes, jsEventListeners } = await client.send("Memory.getDOMCounters");
  return { heap: usedSize, nodes, listeners: jsEventListeners };
}

/**
 * What has grown further than it may, from the first third of the samples to the last.
 * @param {readonly Held[]} samples of a page that is full
 * @returns {string[]}
 */
export function grown(samples) {
  const third = Math.max(1, Math.floor(samples.length / 3));
  return /** @type {Leak[]} */ (Object.keys(SLACK)).flatMap((name) => {
    const [before, after] = [samples.slice(0, third), samples.slice(-third)].map((some) =>
      quantile(
        some.map((sample) => sample[name]),
        0.5,
      ),
    );
    if (before === undefined || after === undefined) return [];
    const most = before * (1 + PART) + SLACK[name];
    return after > most ? [`${name}: ${before} → ${after}, over ${Math.round(most)}`] : [];
  });
}

/**
 * Makes the page keep something of every message of its socket.
 * @param {Page} page before it is opened
 * @param {Leak} leak
 */
export function plant(page, leak) {
  return page.addInitScript((what) => {
    /** @type {unknown[]} */
    const kept = [];
    const own = globalThis.WebSocket;
    globalThis.WebSocket = class extends own {
      /** @param {string | URL} url */
      constructor(url) {
        super(url);
        this.addEventListener("message", ({ data }) => {
          if (what === "heap") kept.push(JSON.parse(data));
          if (what === "nodes") kept.push(document.createElement("p"));
          if (what === "listeners") window.addEventListener("message", () => kept.length);
        });
      }
    };
  }, leak);
}
