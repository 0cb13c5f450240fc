/**
 * Measures the page with a thousand devices that send a thousand readings in each second, beside a floor: the same
 * browser with a page that opens the same socket and shows a count.
 *
 * Writes one JSON document of figures; `cargo xtask bench page` runs it and makes the table.
 *
 *     node test/load/bench.js --seconds 10 --rounds 3
 */

import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { startBrowser } from "../browser/world.js";
import { lost, startFleet, waitForCards } from "./fleet.js";
import { cost } from "./trace.js";

/** @typedef {import("playwright-core").Page} Page */

const DEVICES = 1_000;
/** Less than that was not delivered: the figures would be of another house. */
const RATE_MIN = 0.95 * DEVICES;
const SETTLE_MILLIS = 3_000;
/** A document of the gateway that has no script of its own. */
const BARE = "healthz";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
  },
});
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
assert.ok(seconds > 0 && rounds > 0, "--seconds and --rounds take numbers");

const fleet = await startFleet(DEVICES);
const browser = await startBrowser();
/** @type {Record<string, number>[]} */
const measured = [];
for (let round = 0; round < rounds; round += 1) {
  const floor = await figures(`${fleet.mtom.url}${BARE}`, 0);
  const page = await figures(fleet.mtom.url, DEVICES);
  measured.push(Object.fromEntries([...named("floor", floor), ...named("page", page)]));
}
await browser.close();
await fleet.stop();
process.stdout.write(`${JSON.stringify(measured)}\n`);

/**
 * @param {string} url
 * @param {number} cards that it shows
 */
async function figures(url, cards) {
  const isBare = cards === 0;
  const { page, close } = await browser.open(url, { bypassCSP: isBare }, async (page) => {
    if (isBare) {
      // A document without a head has the browser look for an icon.
      await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
      await page.addInitScript(showCount);
    }
    await page.addInitScript(noteFirst);
  });
  const cold = await first(page);
  await page.goto("about:blank");
  await page.goto(url);
  const warm = await first(page);
  if (cards > 0) await waitForCards(page, cards);
  // Histories of the cards that are seen are loaded, and code is compiled.
  await page.waitForTimeout(SETTLE_MILLIS);
  const [before, start] = [await fleet.stored(), performance.now()];
  const spent = await cost(page, seconds);
  const rate = ((await fleet.stored()) - before) / ((performance.now() - start) / 1_000);
  assert.ok(rate >= RATE_MIN, `only ${Math.round(rate)} readings/s of ${DEVICES} were stored`);
  const updatesLost = cards > 0 ? await lost(page) : 0;
  await close();
  return { ...spent, cold, warm, rate, updatesLost };
}

/** The floor, in a bare page: the same socket, its first value and then how much it has said. */
function showCount() {
  if (location.protocol === "about:") return;
  addEventListener("DOMContentLoaded", () => {
    const shown = document.createElement("p");
    shown.className = "value";
    document.body.replaceChildren(shown);
    let count = 0;
    const socket = new WebSocket(`ws://${location.host}/live`);
    socket.onmessage = ({ data }) => {
      if (count === 0) shown.textContent = JSON.parse(data).readings[0].value;
      count += 1;
    };
    const show = () => {
      if (count > 1) shown.textContent = String(count);
      requestAnimationFrame(show);
    };
    show();
  });
}

/** In the page, before its own scripts: when the first reading has been painted. */
function noteFirst() {
  const look = () => {
    const shown = document.querySelector(".value")?.textContent ?? "";
    if (shown === "") requestAnimationFrame(look);
    // In the frame after it is on the screen.
    else requestAnimationFrame(() => Reflect.set(globalThis, "mtomFirst", performance.now()));
  };
  requestAnimationFrame(look);
}

/** @param {Page} page @returns {Promise<number>} milliseconds since the navigation began */
async function first(page) {
  const found = await page.waitForFunction(() => Reflect.get(globalThis, "mtomFirst"));
  return found.jsonValue();
}

/**
 * @param {string} whose
 * @param {Record<string, number>} found
 * @returns {[string, number][]}
 */
function named(whose, found) {
  return Object.entries(found).map(([name, value]) => [`${whose}.${name}`, value]);
}
