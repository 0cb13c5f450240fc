/** Rules on the page: written, tried on the history, saved and rolled back, against the real binary. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */
/** @typedef {import("playwright-core").Page} Page */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/** @param {string} name */
const set = (name) =>
  `rule=[{name="${name}",when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="1h",then=[{actuator="TEMP_LED"}]}]`;

/**
 * @param {Page} page
 * @param {string} from
 * @param {string} to
 */
async function replace(page, from, to) {
  const text = await page.inputValue("#edit-text");
  assert.ok(text.includes(from), text);
  await page.fill("#edit-text", text.replace(from, to));
}

/**
 * Saves are asked for and not answered until they are let through.
 * @param {Page} page
 * @returns {Promise<import("playwright-core").Route>} the save
 */
async function holdSave(page) {
  return new Promise((asked, fail) => {
    const hold = (/** @type {import("playwright-core").Route} */ route) =>
      route.request().method() === "PUT" ? asked(route) : route.fallback();
    page.route(SAVES, hold).then(() => page.click("#edit-save"), fail);
  });
}

/**
 * The status of the answer, when the page has taken it.
 * @param {Page} page
 * @param {import("playwright-core").Route} save
 */
async function letThrough(page, save) {
  const request = save.request();
  const answered = page.waitForResponse((response) => response.request() === request);
  await save.continue();
  const response = await answered;
  await response.finished();
  await page.unroute(SAVES);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  return response.status();
}

const SAVES = "**/api/v1/rules?source=*";

/** A refusal is an error in the console too. */
const REFUSED = /422/;

test("a rule is changed, tried on the history, saved, and rolled back", async () => {
  const mtom = await startMtom([set("heat lamp")]);
  try {
    const { page, close } = await browser.open(mtom.url);
    await waitForText(page, "#rules-list li", /heat lamp.*switches TEMP_LED.*celsius >= 25\.0/);
    await waitForText(page, "#rules-version", /^Version 1, .* from mtom\.toml$/);
    for (const celsius of ["20 °C", "28 °C", "20 °C", "27 °C"]) {
      mtom.publish("Environ/Temperature", celsius);
    }
    await waitForText(page, "[data-step=reported] .word", "on");

    await page.click("#rules-edit");
    await waitForText(page, "#edit-check", "These rules can be used.");
    await replace(page, "celsius >= 25.0", "celcius >= 30.0");
    await waitForText(page, "#edit-check", "Mistakes: 1");
    await waitForText(page, ".mistake", /line \d+, column \d+celcius.*did you mean `celsius`/);
    await page.click(".mistake");
    const word = await page.$eval("#edit-text", (field) => {
      const { value, selectionStart, selectionEnd } = /** @type {HTMLTextAreaElement} */ (field);
      return [value.slice(selectionStart, selectionEnd), document.activeElement === field];
    });
    assert.deepEqual(word, ["celcius", true]);
    // What is wrong is not saved, and an answer that comes late says nothing of a text that is right by now.
    const save = await holdSave(page);
    await replace(page, "celcius", "celsius");
    await waitForText(page, "#edit-check", "These rules can be used.");
    assert.equal(await letThrough(page, save), 422);
    assert.equal(await page.textContent("#edit-check"), "These rules can be used.");
    assert.equal(await page.locator(".mistake").count(), 0);
    await page.selectOption("#edit-since", "1h");
    await page.click("#edit-replay");
    await waitForText(page, "#replay-summary", /^4 readings from .* played in .* s$/);
    await waitForText(page, ".band-row[data-side=old] .small", /^switches: [34], on for .*$/);
    await waitForText(page, ".band-row[data-side=new] .small", /^switches: 0, on for 0 s$/);
    assert.equal((await page.locator(".band-row[data-side=old] rect").count()) > 0, true);
    const label = await page.getAttribute(".band-row[data-side=new] .band", "aria-label");
    assert.match(label ?? "", /^TEMP_LED with these rules, switches: 0/);
    await waitForText(
      page,
      "#replay-differ",
      /^Commands only as it was: [34]; only with these rules: [01]$/,
    );
    await waitForText(page, "#replay-differences", /TEMP_LED on.*Rule heat lamp: reading \d/);

    await page.click("#edit-save");
    await waitForText(page, "#edit-outcome", "Version 2 runs now.");
    await waitForText(page, "#edit-versions li:first-child", /^version 2.*the page.*runs now$/);
    await waitForText(page, "#rules-list li", /celsius >= 30\.0/);
    mtom.publish("Environ/Temperature", "28 °C");
    await waitForText(page, "[data-step=reported] .word", "off");

    await page.click("#edit-versions [data-version='1'] >> text=Roll back");
    await waitForText(page, "#edit-outcome", "Version 3 runs now, with the rules of version 1.");
    assert.match(await page.inputValue("#edit-text"), /celsius >= 25\.0/);
    await page.keyboard.press("Escape");
    assert.equal(await page.isVisible("#edit"), false);
    await waitForText(page, "#rules-list li", /celsius >= 25\.0/);
    mtom.publish("Environ/Temperature", "28 °C");
    await waitForText(page, "[data-step=reported] .word", "on");
    await close(REFUSED);
  } finally {
    await mtom.remove();
  }
});

test("rules that somebody else has changed meanwhile are not replaced unseen, and no text is lost", async () => {
  const mtom = await startMtom([set("heat lamp")]);
  try {
    const { page, close } = await browser.open(mtom.url);
    await waitForText(page, "#rules-list li", /heat lamp/);
    await page.click("#rules-edit");
    await waitForText(page, "#edit-check", "These rules can be used.");
    await replace(page, "celsius >= 25.0", "celsius >= 30.0");
    const mine = await page.inputValue("#edit-text");
    const put = { method: "PUT", headers: { "Content-Type": "application/toml" } };
    for (let count = 0; count < 25; count += 1) {
      const body = mine.replace("30.0", `${count}.5`);
      const path = `${mtom.url}api/v1/rules?source=Ada`;
      assert.equal((await fetch(path, { ...put, body })).status, 200);
    }
    await waitForText(page, "#edit-newer", /^Version 26 /);
    await page.click("#edit-save");
    await waitForText(
      page,
      "#edit-outcome",
      /^Not saved: meanwhile version 26 by Ada runs, since .* Your text is kept/,
    );
    assert.equal(await page.inputValue("#edit-text"), mine);
    await waitForText(page, "#rules-list li", /celsius >= 24\.5/);
    // Of many versions the older ones come when they are asked for.
    assert.equal(await page.locator("#edit-versions li").count(), 20);
    await page.click("#edit-versions-more");
    await waitForText(page, "#edit-versions li:last-child", /^version 1.*mtom\.toml/);
    assert.equal(await page.locator("#edit-versions li").count(), 26);
    assert.equal(await page.isVisible("#edit-versions-more"), false);
    // Who has been told may do it.
    await page.click("#edit-save");
    await waitForText(page, "#edit-outcome", "Version 27 runs now.");
    await waitForText(page, "#rules-list li", /celsius >= 30\.0/);
    await close(/412/);
  } finally {
    await mtom.remove();
  }
});

test("names that are made to harm stay texts, on a phone and in Chinese", async () => {
  const harm = "<img src=x onerror=alert(1)>";
  const mtom = await startMtom([set(`${harm}${"W".repeat(32)}`)]);
  try {
    const options = { viewport: { width: 360, height: 740 }, locale: "zh-CN" };
    const { page, close } = await browser.open(mtom.url, options);
    await waitForText(page, "#rules-list li", /<img src=x onerror=alert\(1\)>WWW.*控制 TEMP_LED/);
    mtom.publish("Environ/Temperature", ["20 °C", "28 °C"]);
    await waitForText(page, "[data-step=reported] .word", "亮");
    await page.click("#rules-edit");
    await replace(page, "celsius >= 25.0", `celsius >= 30.0 && device != '${harm}'`);
    await waitForText(page, "#edit-check", "规则有效。");
    await page.click("#edit-replay");
    await waitForText(page, "#replay-differences", /原来.*规则 <img src=x onerror/);
    await replace(page, "TEMP_LED", harm);
    await waitForText(page, ".mistake", /<img src=x onerror=alert\(1\)>/);
    assert.equal(await page.locator("#edit img, #rules-list img").count(), 0);
    const widths = await page.$eval("#edit", ({ scrollWidth, clientWidth }) => [
      scrollWidth,
      clientWidth,
    ]);
    assert.equal(widths[0], widths[1], "no horizontal scroll");
    await close(REFUSED);
  } finally {
    await mtom.remove();
  }
});
