/** A house of many devices, and the page in front of it: what the benchmark and the soak of the page share. */

import assert from "node:assert/strict";
import { LIMIT_MILLIS, startMtom, startSensor } from "../browser/world.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{received: number, stored: number}} Audit */

/**
 * `mtom up` with so many sensors that speak once a second each, when all of them are known.
 * @param {number} devices
 */
export async function startFleet(devices) {
  const mtom = await startMtom();
  const sensors = startSensor(mtom.ready.mqtt, ["--count", String(devices)], "1s");
  const start = performance.now();
  while ((await latest(mtom.url)).length < devices) {
    assert.ok(performance.now() - start < 4 * LIMIT_MILLIS, `${devices} sensors are not heard`);
    await new Promise((done) => setTimeout(done, 100));
  }
  return {
    mtom,
    /** How many readings are stored by now. */
    async stored() {
      /** @type {Audit} */
      const audit = await (await fetch(`${mtom.url}api/v1/audit`)).json();
      return audit.stored;
    },
    async stop() {
      await sensors.kill();
      await mtom.remove();
    },
  };
}

/** @param {string} url @returns {Promise<unknown[]>} */
async function latest(url) {
  return (await (await fetch(`${url}api/v1/latest`)).json()).readings;
}

/**
 * Waits until there is a card for each of them.
 * @param {Page} page
 * @param {number} devices
 */
export async function waitForCards(page, devices) {
  await page.waitForFunction(
    (count) => document.querySelectorAll("#devices .device").length === count,
    devices,
    { timeout: 4 * LIMIT_MILLIS },
  );
}

/**
 * How many updates the page was told that it has lost.
 * @param {Page} page
 */
export async function lost(page) {
  const text = (await page.textContent("#lagged")) ?? "";
  return Number(/\d+/.exec(text)?.[0] ?? 0);
}
