/** "Why?" behind the LED: the story, the person's word, and what goes wrong, against the real binary. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, waitForText, withMtom } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */
/** @typedef {import("playwright-core").Page} Page */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

const HARM = "<img src=x onerror=alert(1)>";
/** The default rule waits a second between two changes; a test need not. */
const RULE = rule("heat lamp", "Environ/Temperature");

/**
 * @param {string} name
 * @param {string} when
 */
function rule(name, when) {
  return `rule=[{name="${name}",when="${when}",on="celsius >= 25.0",dwell="0s",max_age="1h",then=[{actuator="TEMP_LED"}]}]`;
}

/**
 * Where a step of the story stands.
 * @param {string} name
 */
const step = (name) => `#why-steps [data-step=${name}]`;

/** @param {Page} page */
const isOpen = (page) => page.isVisible("#why");

test("one click on the LED tells the reading, the rule, its condition and the device's word", async () => {
  await withMtom([RULE], async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    const time = new Date(Date.now() - 2_000).toISOString();
    mtom.publish("Environ/Temperature", JSON.stringify({ temperature: 26.5, time }));
    await waitForText(page, "[data-step=reported] .word", "on");
    await page.click(".led-why");
    await waitForText(page, "#why-title", "TEMP_LED: why on?");
    await waitForText(page, "#why-summary", /^To be on since .*2\d{3}.*, by command 1$/);
    await waitForText(page, step("reading"), /26\.5 °C.*Environ\/Temperature.*reading 1/);
    await waitForText(page, step("taken"), /\d\d:\d\d:\d\d\.\d{3}/);
    await waitForText(page, step("arrived"), /\d\d:\d\d:\d\d\.\d{3}.*(s later|at once)/);
    await waitForText(page, step("rule"), /heat lamp.*celsius >= 25\.0, where celsius is 26\.5/);
    await waitForText(page, step("rule"), /version [0-9a-f]{16}/);
    await waitForText(page, step("decided"), /on.*\d\d:\d\d:\d\d\.\d{3}.*(s later|at once)/);
    await waitForText(page, step("sent"), /\d\d:\d\d:\d\d\.\d{3}.*(s later|at once)/);
    await waitForText(
      page,
      step("applied"),
      /s after the decision.*\d\d:\d\d:\d\d\.\d{3}.*(s later|at once)/,
    );
    const names = await page.$$eval("#why-steps li", (all) => all.map((row) => row.dataset.step));
    assert.deepEqual(names, ["reading", "taken", "arrived", "rule", "decided", "sent", "applied"]);
    // A new command is told without being asked for.
    mtom.publish("Environ/Temperature", "20 °C");
    await waitForText(page, "#why-title", "TEMP_LED: why off?");
    await waitForText(page, "#why-summary", /^To be off .* command 2$/);
    await waitForText(page, step("applied"), /after the decision/);
    await close();
  });
});

test("a person says on or off for ten minutes, and gives it back to the rules", async () => {
  await withMtom([RULE], async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    mtom.publish("Environ/Temperature", "30 °C");
    await waitForText(page, "[data-step=reported] .word", "on");
    await page.click(".led-why");
    await page.click("#why-set-off >> text=Off for 10 min");
    await waitForText(page, "#why-outcome", "Off for 10 min; then as the rules want.");
    await waitForText(page, "[data-step=reported] .word", "off");
    await waitForText(page, step("rule"), /^Rulea person/);
    await waitForText(page, step("reading"), /it was not a reading/);
    await waitForText(page, step("applied"), /after the decision/);
    assert.equal(await page.getAttribute(".lamp", "data-led"), "off");
    await page.click("#why-set-auto >> text=As the rules want");
    await waitForText(page, "#why-outcome", "The rules decide again.");
    await waitForText(page, "[data-step=reported] .word", "on");
    await waitForText(page, step("rule"), /heat lamp/);
    await page.click("#why-set-on");
    await waitForText(page, "#why-outcome", /^On for 10 min/);
    mtom.publish("Environ/Temperature", "20 °C");
    await waitForText(page, "#now-main", "20.0");
    assert.equal(await page.getAttribute(".lamp", "data-led"), "on");
    await close();
  });
});

test("the keyboard opens it and closes it, and the focus comes back though the card is new", async () => {
  await withMtom([RULE], async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    mtom.publish("Environ/Temperature", "30 °C");
    await waitForText(page, "[data-step=reported] .word", "on");
    await page.focus(".led-why");
    await page.keyboard.press("Enter");
    await waitForText(page, step("applied"), /after the decision/);
    const reached = new Set();
    for (let turn = 0; turn < 6; turn += 1) {
      reached.add(await page.evaluate(() => document.activeElement?.id));
      await page.keyboard.press("Tab");
    }
    for (const id of ["why-close", "why-set-on", "why-set-off", "why-set-auto"]) {
      assert.ok(reached.has(id), id);
    }
    mtom.publish("Environ/Temperature", "20 °C");
    await waitForText(page, "#why-title", "TEMP_LED: why off?");
    await page.keyboard.press("Escape");
    assert.equal(await isOpen(page), false);
    const focused = () => page.evaluate(() => document.activeElement?.className);
    assert.equal(await focused(), "led-why");
    // A card that changes under the focus keeps it.
    mtom.publish("Environ/Temperature", "30 °C");
    await waitForText(page, "[data-step=reported] .word", "on");
    assert.equal(await focused(), "led-why");
    await page.keyboard.press("Space");
    await page.click("#why-close");
    assert.equal(await isOpen(page), false);
    await close();
  });
});

test("where nothing was decided it says so", async () => {
  await withMtom([RULE], async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    await page.click(".led-why");
    await waitForText(page, "#why-summary", /^Nothing was decided yet/);
    assert.equal(await page.locator("#why-steps li").count(), 0);
    mtom.publish("Environ/Temperature", "30 °C");
    await waitForText(page, step("applied"), /after the decision/);
    // The browser itself reports that nothing was found.
    await close(/404/);
  });
});

test("what the gateway refuses is shown with its next step", async () => {
  await withMtom([RULE], async (mtom) => {
    /** @param {Page} page */
    const refuse = async (page) => {
      const problem = {
        title: "",
        status: 503,
        detail: `no disk ${HARM}`,
        next: "free some space",
      };
      for (const path of ["**/api/v1/why?*", "**/api/v1/actuators/*/set"]) {
        await page.route(path, (route) => route.fulfill({ status: 503, json: problem }));
      }
    };
    const { page, close } = await browser.open(mtom.url, {}, refuse);
    await page.click(".led-why");
    await waitForText(
      page,
      "#why-summary",
      `The ledger could not be read: no disk ${HARM}: free some space`,
    );
    await page.click("#why-set-on");
    await waitForText(page, "#why-outcome", `It was not set: no disk ${HARM}: free some space`);
    assert.equal(await page.locator("#why .is-bad").count(), 2);
    await close(/503/);
  });
});

test("names that are made to harm stay texts, on a phone too", async () => {
  const name = `${HARM}${"W".repeat(32)}`;
  await withMtom([rule(name, `Environ/${HARM}/T`)], async (mtom) => {
    const size = { width: 360, height: 740 };
    for (const locale of ["en-US", "zh-CN"]) {
      const { page, close } = await browser.open(mtom.url, { viewport: size, locale });
      mtom.publish(`Environ/${HARM}/T`, "30 °C");
      await page.waitForSelector(".lamp[data-led=on]");
      await page.click(".led-why");
      await waitForText(page, step("rule"), /<img src=x onerror=alert\(1\)>WWW/);
      await waitForText(page, step("reading"), /<img src=x onerror=alert\(1\)>/);
      assert.equal(await page.locator("#why img").count(), 0);
      const [wide, shown] = await page.$eval("#why", (dialog) => [
        dialog.scrollWidth,
        dialog.clientWidth,
      ]);
      assert.equal(wide, shown, "no horizontal scroll");
      await close();
    }
  });
});
