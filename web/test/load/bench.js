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

const browser = await startBrowser();
const one = await startFleet(1);
/** @type {Record<string, number>[]} */
const firsts = [];
for (let round = 0; round < rounds; round += 1) {
  const floor = await looked(one.mtom.url, true, first);
  const page = await looked(one.mtom.url, false, first);
  firsts.push(Object.fromEntries([...named("floor.one", floor), ...named("page.one", page)]));
}
await one.stop();

const fleet = await startFleet(DEVICES);
/** @type {Record<string, number>[]} */
const measured = [];
for (const ofOne of firsts) {
  const floor = await looked(fleet.mtom.url, true, figures);
  const page = await looked(fleet.mtom.url, false, figures);
  measured.push({
    ...ofOne,
    ...Object.fromEntries([...named("floor", floor), ...named("page", page)]),
  });
}
await browser.close();
await fleet.stop();
process.stdout.write(`${JSON.stringify(measured)}\n`);

/**
 * What `measure` finds of the page, or of a bare one, of the gateway at `url`.
 * @template Found
 * @param {string} url
 * @param {boolean} isBare
 * @param {(page: Page, url: string, isBare: boolean) => Promise<Found>} measure
 */
async function looked(url, isBare, measure) {
  /** @param {Page} page */
  const prepare = async (page) => {
    if (isBare) {
      // A document without a head has the browser look for an icon. Whoever asks so has no cache: not the page.
      await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
      await page.addInitScript(showCount);
    }
    await page.addInitScript(noteFirst);
  };
  const { page, close } = await browser.open(url, { bypassCSP: isBare }, prepare, "about:blank");
  const found = await measure(page, isBare ? `${url}${BARE}` : url, isBare);
  await close();
  return found;
}

/**
 * How soon the first reading is on the screen, with nothing in the browser's cache and then with all of it.
 * @param {Page} page
 * @param {string} url
 */
async function first(page, url) {
  const [cold, warm] = [await firstOf(page, url), await firstOf(page, url)];
  return { cold, warm };
}

/**
 * That, and what the page costs when all of its cards are there.
 * @param {Page} page
 * @param {string} url
 * @param {boolean} isBare
 */
async function figures(page, url, isBare) {
  const firsts = await first(page, url);
  if (!isBare) await waitForCards(page, DEVICES);
  // Histories of the cards that are seen are loaded, and code is compiled.
  await page.waitForTimeout(SETTLE_MILLIS);
  const [before, start] = [await fleet.stored(), performance.now()];
  const spent = await cost(page, seconds);
  const rate = ((await fleet.stored()) - before) / ((performance.now() - start) / 1_000);
  assert.ok(rate >= RATE_MIN, `only ${Math.round(rate)} readings/s of ${DEVICES} were stored`);
  const updatesLost = isBare ? 0 : await lost(page);
  return { ...spent, ...firsts, rate, updatesLost };
}

/** The floor, in a bare page: the same socket, its first value and then how much it has said. */
function showCount() {
  if (location.protocol === "about:") return;
  addEventListener("DOMContentLoaded", () => {
    const shown = document.createElement("p");
    shown.className = "value";
    document.body.replaceChildren(shown);
    let count = 0;
    const socket = new WebSocket(`ws://${location.host}/live?batch=true`);
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

/**
 * @param {Page} page
 * @param {string} url
 * @returns {Promise<number>} milliseconds since the navigation began
 */
async function firstOf(page, url) {
  await page.goto("about:blank");
  await page.goto(url);
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
