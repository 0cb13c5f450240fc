/** The chart as a person uses it: the present and the past in one, by mouse, keyboard and finger. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
/** @type {Awaited<ReturnType<typeof startMtom>>} */
let mtom;

const RULE =
  'rule=[{when="Environ/Temperature",on="celsius >= 25.0",off="celsius < 24.0",dwell="0s",max_age="1h",then=[{actuator="TEMP_LED"}]}]';

before(async () => {
  browser = await startBrowser();
  mtom = await startMtom([RULE]);
  mtom.publish("Environ/Temperature", past(Date.now()));
  mtom.publish("Environ/kitchen/Humidity", ["41 %", "42 %"]);
  mtom.publish("Environ/Temperature", ["26 °C", "=27 °C", "23 °C", "22.5 °C"]);
});
after(async () => {
  await browser.close();
  await mtom.remove();
});

/**
 * Twenty days of weather, as a device sends it that was away, and the last minutes in steps of 2 s.
 * @param {number} nowMillis
 */
function past(nowMillis) {
  const steps = Array.from({ length: 200 }, (_, step) => ({
    ago: 20 * 86_400 - step * 8_600,
    step,
  }));
  const close = Array.from({ length: 30 }, (_, step) => ({ ago: 90 - step * 3, step }));
  return [...steps, ...close].map(({ ago, step }) => {
    const temperature = Number((18 + 3 * Math.sin(step / 5)).toFixed(1));
    return JSON.stringify({ temperature, time: new Date(nowMillis - ago * 1_000).toISOString() });
  });
}

/**
 * Opens the page with the chart at rest.
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
async function open(options) {
  const opened = await browser.open(mtom.url, options);
  await opened.page.waitForSelector("#connection[data-state=open]");
  await atRest(opened.page);
  return opened;
}

/** @param {Page} page */
async function atRest(page) {
  await page.waitForSelector("#chart:not([aria-busy]) .u-over");
}

/**
 * Where the plot is. A chart that gets other points has a new one, so the old one may be gone when it is asked.
 * @param {Page} page
 */
async function plotOf(page) {
  for (let times = 0; times < 100; times += 1) {
    await atRest(page);
    const box = await page.locator("#chart .u-over").boundingBox();
    if (box !== null) return box;
  }
  return assert.fail("the chart never rests");
}

/** @param {Page} page */
const range = (page) => page.textContent("#chart-range");

/**
 * Draws over the middle half of the chart.
 * @param {Page} page
 */
async function drag(page) {
  const box = await plotOf(page);
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width / 4, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, y);
  await page.mouse.move(box.x + (box.width * 3) / 4, y);
  await page.mouse.up();
}

describe("moving in time", () => {
  test("a stretch is zoomed by drag, and one goes back by Escape, button or double click", async () => {
    const { page, close } = await open();
    await page.click("#chart-windows button:has-text('30 d')");
    await waitForText(page, "#chart-level", /^a point each/);
    assert.equal(await page.getAttribute("#chart-live", "aria-pressed"), "true");
    await drag(page);
    await waitForText(page, "#chart-level", /^a point each \d+ (min|h)/);
    assert.equal(await page.getAttribute("#chart-live", "aria-pressed"), "false");
    const first = await range(page);
    await drag(page);
    await page.waitForFunction(
      (before) => document.querySelector("#chart-range")?.textContent !== before,
      first,
    );
    await page.focus("#chart");
    await page.keyboard.press("Escape");
    await waitForText(page, "#chart-range", first ?? "");
    await page.click("#chart-back");
    await page.waitForSelector("#chart-live[aria-pressed=true]");
    await drag(page);
    await page.waitForSelector("#chart-live[aria-pressed=false]");
    await page.dblclick("#chart .u-over");
    await page.waitForSelector("#chart-live[aria-pressed=true]");
    await close();
  });

  test("from the readings to five years, each at the level that the gateway picks", async () => {
    const { page, close } = await open();
    for (const [name, level] of /** @type {const} */ ([
      ["2 min", /^each point is a reading$/],
      ["1 h", /^each point is a reading$/],
      ["30 d", /^a point each/],
      ["5 y", /^a point each \d+ d: the mean, with the lowest and the highest$/],
    ])) {
      await page.click(`#chart-windows button:has-text("${name}")`);
      await waitForText(page, "#chart-level", level);
    }
    await waitForText(page, "#chart-readout", /^Lowest 15\.0 °C, highest 26\.0 °C, 23\d readings$/);
    mtom.publish("Environ/Temperature", "22.4 °C");
    await waitForText(page, "#chart-legend", /22\.4 °C/);
    await close();
  });

  test("the keyboard pans, zooms and reads one reading after the other", async () => {
    const { page, close } = await open();
    await page.focus("#chart");
    await page.keyboard.press("ArrowLeft");
    await page.waitForSelector("#chart-live[aria-pressed=false]");
    const still = await range(page);
    await page.keyboard.press("-");
    await page.keyboard.press("+");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await waitForText(page, "#chart-range", still ?? "");
    await page.keyboard.press("End");
    await page.waitForSelector("#chart-live[aria-pressed=true]");
    await atRest(page);
    await page.keyboard.press("Shift+ArrowLeft");
    await waitForText(page, "#chart-announce", /22\.\d+ °C · reading \d+$/);
    const newest = await page.textContent("#chart-announce");
    await page.keyboard.press("Shift+ArrowLeft");
    await page.waitForFunction(
      (before) => document.querySelector("#chart-announce")?.textContent !== before,
      newest,
    );
    await waitForText(page, "#chart-announce", /· reading \d+$/);
    await close();
  });

  test("a finger that is drawn sideways chooses a stretch", async () => {
    const { page, close } = await open({ hasTouch: true, viewport: { width: 360, height: 740 } });
    await page.locator("#chart").scrollIntoViewIfNeeded();
    const box = await plotOf(page);
    const client = await page.context().newCDPSession(page);
    const y = box.y + box.height / 2;
    const touch = (/** @type {string} */ type, /** @type {number[]} */ ...xs) =>
      client.send("Input.dispatchTouchEvent", {
        type: /** @type {"touchStart"} */ (type),
        touchPoints: xs.map((x) => ({ x, y })),
      });
    await touch("touchStart", box.x + 40);
    for (const x of [60, 90, 120, 140]) await touch("touchMove", box.x + x);
    await touch("touchEnd");
    await page.waitForSelector("#chart-live[aria-pressed=false]");
    await close();
  });
});

describe("what the chart says", () => {
  test("the mouse finds the reading and its number", async () => {
    const { page, close } = await open();
    await page.click("#chart-windows button:has-text('10 min')");
    await atRest(page);
    const box = await plotOf(page);
    await page.mouse.move(box.x + box.width - 3, box.y + box.height / 2);
    await waitForText(page, "#chart-readout", /^\d\d:\d\d:\d\d · 2\d\.\d+ °C · reading \d+$/);
    await close();
  });

  test("rules' thresholds and the actuator's episodes are drawn, and told in words", async () => {
    const { page, close } = await open();
    await waitForText(page, "#chart-driven", /^TEMP_LED was on: 1, \d+ (s|min) in all$/);
    const isDrawn = await page.evaluate(() => {
      const canvas = document.querySelector("#chart canvas");
      if (!(canvas instanceof HTMLCanvasElement)) return false;
      const data = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data;
      const wanted = getComputedStyle(document.documentElement).getPropertyValue("--limit").trim();
      const hex = [1, 3, 5].map((at) => Number.parseInt(wanted.slice(at, at + 2), 16));
      for (let at = 0; data !== undefined && at < data.length; at += 4) {
        if (hex.every((part, index) => data[at + index] === part)) return true;
      }
      return false;
    });
    assert.equal(isDrawn, true);
    await close();
  });

  test("temperatures are in the person's unit, also after a reload", async () => {
    const { page, close } = await open();
    await page.click("button[data-unit=F]");
    await waitForText(page, "#chart-readout", /^Lowest \d+(\.\d+)? °F, highest 78\.8 °F/);
    await page.reload();
    await waitForText(page, "#chart-readout", /highest 78\.8 °F/);
    assert.equal(await page.getAttribute("button[data-unit=F]", "aria-pressed"), "true");
    await close();
  });

  test("several series are compared, hidden and taken away again", async () => {
    const { page, close } = await open();
    await page.selectOption("#chart-add", { label: "Environ/kitchen / Humidity" });
    await waitForText(page, "#chart-legend li:nth-child(2)", /kitchen \/ Humidity42%/);
    const swatches = await page.$$eval("#chart-legend .swatch", (all) =>
      all.map((swatch) => getComputedStyle(swatch).borderTopStyle),
    );
    assert.deepEqual(swatches, ["solid", "dashed"]);
    const second = page.locator("#chart-legend li:nth-child(2) button").first();
    await second.focus();
    await page.keyboard.press("Enter");
    assert.equal(await second.getAttribute("aria-pressed"), "false");
    await page.waitForSelector("#chart:not([aria-busy])");
    // The focus is still on it.
    await page.keyboard.press("Enter");
    assert.equal(await second.getAttribute("aria-pressed"), "true");
    await page.click("#chart-legend .remove");
    await page.waitForFunction(() => document.querySelectorAll("#chart-legend li").length === 1);
    await close();
  });

  test("what is shown is saved as a table without formulas, and as a picture", async () => {
    mtom.publish("Environ/json", JSON.stringify({ device: "=cmd()", "@SUM(A1)": 5 }));
    const { page, close } = await open();
    await page.selectOption("#chart-add", { label: "=cmd() / @SUM(A1)" });
    await waitForText(page, "#chart-legend li:nth-child(2)", /@SUM\(A1\)5/);
    const [table] = await Promise.all([page.waitForEvent("download"), page.click("#chart-csv")]);
    assert.match(table.suggestedFilename(), /^mtom-.*\.csv$/);
    const text = await readFile(await table.path(), "utf8");
    const [head, ...lines] = text.trimEnd().split("\r\n");
    assert.equal(head, "\ufefftime,device,quantity,value,unit,min,max,readings,reading");
    assert.match(lines[0] ?? "", /^20[^,]*Z,Environ,Temperature,[\d.]+,°C,[\d.]+,[\d.]+,1,\d+$/);
    assert.match(lines.at(-1) ?? "", /,'=cmd\(\),'@SUM\(A1\),5,,5,5,1,\d+$/);
    for (const cell of lines.flatMap((line) => line.split(","))) {
      assert.doesNotMatch(cell, /^[=+@]|^-(?!\d)/, cell);
    }
    const [picture] = await Promise.all([page.waitForEvent("download"), page.click("#chart-png")]);
    const bytes = await readFile(await picture.path());
    assert.equal(bytes.subarray(1, 4).toString("latin1"), "PNG");
    assert.ok(bytes.length > 5_000, String(bytes.length));
    await close();
  });
});
