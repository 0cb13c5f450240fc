/** The page looks as it was approved: each view, wide and on a phone, light and dark, in both languages. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { changes, compare, take } from "./pictures.js";
import { CONTROLLERS, standStill } from "./still.js";
import { startBrowser, startMtom } from "./world.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContextOptions} ContextOptions */

/** High enough that every card is in sight, and so is drawn. */
const WIDE = { width: 1440, height: 1_400 };
const PHONE = { width: 360, height: 1_800 };
/** Each with how many pixels of the page are one of the picture. */
/** @type {Record<string, [number, ContextOptions]>} */
const LOOKS = {
  wide: [3, { viewport: WIDE, colorScheme: "light", locale: "en-US" }],
  dark: [3, { viewport: WIDE, colorScheme: "dark", locale: "en-US" }],
  phone: [2, { viewport: PHONE, colorScheme: "light", locale: "en-US" }],
  zh: [2, { viewport: PHONE, colorScheme: "light", locale: "zh-CN" }],
};
const VIEWS = {
  overview: "#overview",
  chart: ".panel.chart",
  history: ".panel.history",
  rules: ".panel.rules",
  log: ".panel.log",
};

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
/** @type {import("./world.js").Mtom} */
let mtom;
before(async () => {
  browser = await startBrowser({ timezoneId: "UTC", reducedMotion: "reduce" });
  mtom = await startMtom();
});
after(async () => {
  await browser.close();
  await mtom.remove();
});

/**
 * @param {ContextOptions} options
 * @param {Parameters<typeof standStill>[1]} [others]
 */
async function open(options, others) {
  const opened = await browser.open(mtom.url, options, (page) => standStill(page, others));
  const { page } = opened;
  await page.waitForFunction(() => {
    const lines = [...document.querySelectorAll("#devices [data-state=fresh] .spark-line")];
    return lines.length === 5 && lines.every((line) => line.getAttribute("d")?.includes("L"));
  });
  await page.waitForSelector("#path .hop[data-state=good]");
  await page.waitForSelector("#chart:not([aria-busy]) .uplot");
  await page.waitForFunction(() => document.getElementById("chart-driven")?.textContent !== "");
  await page.waitForSelector("#history-rows tr:nth-child(20)");
  await page.waitForFunction(() => document.getElementById("rules-version")?.textContent !== "");
  return opened;
}

describe("as it was approved", () => {
  for (const [look, [scale, options]] of Object.entries(LOOKS)) {
    test(look, async () => {
      const { page, close } = await open(options);
      const found = [];
      for (const [view, place] of Object.entries(VIEWS)) {
        found.push(...(await changes(page, `${view}-${look}`, await take(page, place, scale))));
      }
      await page.click(".led[data-name=TEMP_LED] .led-why");
      await page.waitForSelector("#why-steps [data-step=applied]");
      found.push(...(await changes(page, `why-${look}`, await take(page, "#why", scale))));
      assert.deepEqual(found, []);
      await close();
    });

    test(`controllers, ${look}`, async () => {
      const { page, close } = await open(options, CONTROLLERS);
      await page.waitForSelector(".controller:nth-child(2)");
      const found = await changes(
        page,
        `controllers-${look}`,
        await take(page, "#controllers", scale),
      );
      assert.deepEqual(found, []);
      await close();
    });
  }
});

describe("the comparison", () => {
  /**
   * What it says of views that a style has changed.
   * @param {keyof typeof LOOKS} look
   * @param {keyof typeof VIEWS | (keyof typeof VIEWS)[]} views
   * @param {string} style
   */
  async function planted(look, views, style) {
    const [scale, options] = LOOKS[look] ?? [1, {}];
    const { page, close } = await open({ ...options, bypassCSP: true });
    const all = [views].flat();
    const before = [];
    for (const view of all) before.push(await take(page, VIEWS[view], scale));
    await page.addStyleTag({ content: style });
    // The chart takes its colours when it is made.
    for (const unit of ["F", "C"]) await page.click(`button[data-unit=${unit}]`);
    const found = [];
    for (const [index, view] of all.entries()) {
      const known = before[index];
      assert.ok(known !== undefined);
      found.push(...(await compare(page, known, await take(page, VIEWS[view], scale))).words);
    }
    await close();
    return found.join("\n");
  }

  test("the same and another font pass", async () => {
    const views = /** @type {(keyof typeof VIEWS)[]} */ (Object.keys(VIEWS));
    assert.equal(await planted("wide", views, "html { --other: none }"), "");
    assert.equal(await planted("wide", views, ":root { --sans: serif }"), "");
  });

  test("a card that has moved is seen", async () => {
    const style = ".device:nth-child(2) { transform: translateX(30px) }";
    assert.match(await planted("wide", "overview", style), /^li\.device is at \d+/);
    assert.match(await planted("phone", "overview", style), /^li\.device is at \d+/);
  });

  test("a card, or a line of one, that is gone is seen", async () => {
    const card = ".device:nth-child(2) { display: none }";
    assert.match(await planted("wide", "overview", card), /li\.device: 4, not 5/);
    const line = ".device:nth-child(1) .spark-line { stroke: none }";
    assert.match(await planted("wide", "overview", line), /colours/);
  });

  test("a chart without its line is seen", async () => {
    const style = ":root { --line-0: transparent }";
    assert.match(await planted("wide", "chart", style), /colours/);
    assert.match(await planted("phone", "chart", style), /colours/);
  });

  test("a panel that stays light in the dark is seen, and a row of another colour", async () => {
    assert.match(await planted("dark", "log", ".log { background: #fff }"), /colours/);
    const row = "#history-rows tr:nth-child(3) { background: gold }";
    assert.match(await planted("wide", "history", row), /colours/);
  });
});
