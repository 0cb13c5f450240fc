/** The whole page with nothing but a keyboard. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */
/** @typedef {Awaited<ReturnType<typeof startMtom>>} Mtom */

/** @type {Browser} */
let browser;
/** @type {Mtom} */
let mtom;
before(async () => {
  browser = await startBrowser();
  mtom = await startMtom(["simulate.sensors=1"]);
});
after(async () => {
  await browser.close();
  await mtom.remove();
});

/** More presses than the page has things. */
const PRESSES_MAX = 300;

/**
 * What Tab reaches, in its order, until it leaves the page.
 * @param {Page} page
 */
async function walk(page) {
  /** @type {{name: string, place: number, isSeen: boolean, isInSight: boolean}[]} */
  const found = [];
  for (let press = 0; press < PRESSES_MAX; press += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!(focused instanceof HTMLElement) || focused === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(focused);
      const box = focused.getBoundingClientRect();
      return {
        name: focused.id || focused.className || focused.tagName,
        place: [...document.querySelectorAll("*")].indexOf(focused),
        isSeen: outlineStyle !== "none" && outlineWidth !== "0px",
        isInSight:
          box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
      };
    });
    if (now === null) return found;
    // Dates have a field of their own for each part.
    if (now.place !== found.at(-1)?.place) found.push(now);
  }
  return assert.fail(`Tab does not leave the page: ${found.map(({ name }) => name).join(", ")}`);
}

for (const width of [1440, 360]) {
  test(`Tab goes through the page in its order, and the focus is seen, at ${width} px`, async () => {
    const { page, close } = await browser.open(mtom.url, { viewport: { width, height: 740 } });
    await waitForText(page, "#connection", /Live/);
    await page.waitForSelector(".led-why");
    await page.waitForSelector(".device .measure");
    // What stands in the way of the present is reached too.
    await page.focus("#player-open");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#player:not([hidden])");
    // The first of all: that Tab reaches it from outside is tested with the page.
    await page.focus(".skip");
    const found = await walk(page);
    const places = found.map(({ place }) => place);
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
      found.map(({ name }) => name).join(", "),
    );
    for (const { name, isSeen, isInSight } of found) {
      assert.ok(isSeen, `${name} has no visible focus`);
      assert.ok(isInSight, `${name} is out of sight`);
    }
    const names = new Set(found.map(({ name }) => name));
    for (const name of [
      ...["player-play", "player-slider", "player-speed", "player-close"],
      ...["chart", "chart-csv", "led-why", "log-hop", "log-words", "log-pause", "log"],
      ...["history-device", "history-from", "history-min", "history-clear", "history-scroll"],
      ...["rejects", "try-copy"],
    ]) {
      assert.ok(names.has(name), `${name} is not reached`);
    }
    await close();
  });
}

test("a dialog opens with Enter, keeps the focus, closes with Escape and gives the focus back", async () => {
  const { page, close } = await browser.open(mtom.url);
  await waitForText(page, "#connection", /Live/);
  await page.waitForSelector(".led-why");
  for (const [opener, dialog] of /** @type {const} */ ([
    [".led-why", "#why"],
    ["#rules-edit", "#edit"],
  ])) {
    await page.focus(opener);
    await page.keyboard.press("Enter");
    await page.waitForSelector(`${dialog}[open]`);
    for (let press = 0; press < 30; press += 1) {
      await page.keyboard.press("Tab");
      const isInside = await page.evaluate((dialog) => {
        const focused = document.activeElement;
        // Between the last and the first the browser's own bar has its turn.
        return focused === document.body || focused?.closest(dialog) !== null;
      }, dialog);
      assert.ok(isInside, `${dialog} lets the focus out`);
    }
    await page.keyboard.press("Escape");
    await page.waitForSelector(dialog, { state: "hidden" });
    assert.ok(await page.$eval(opener, (button) => document.activeElement === button));
  }
  await close();
});
