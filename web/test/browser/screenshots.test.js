/** Pictures for people to look at, in `target/screenshots/`: wide and phone, light and dark, both languages. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { screenshot, startBrowser, startMtom, waitForText } from "./world.js";

const SIZES = { wide: { width: 1440, height: 900 }, phone: { width: 360, height: 740 } };

test("the page looks as it should, everywhere", async () => {
  const mtom = await startMtom();
  const browser = await startBrowser();
  const first = await browser.open(mtom.url);
  await first.page.waitForSelector("#connection[data-state=open]");
  mtom.publish("Environ/Temperature", history(Date.now()));
  for (const celsius of ["25.9 °C", "26.0 °C", "26.1 °C"]) {
    mtom.publish("Environ/Temperature", celsius);
  }
  mtom.publish("Environ/Temperature", "23,4 °C");
  mtom.publish("Environ/kitchen/Humidity", "41.5 %");
  await first.page.waitForSelector("#rejects li");
  await first.close();
  for (const [name, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      for (const locale of ["en-US", "zh-CN"]) {
        const { page, close } = await browser.open(mtom.url, {
          viewport,
          colorScheme,
          locale,
        });
        await waitForText(page, "#chart-readout", /26\.1 °C/);
        await page.waitForSelector("#history-rows tr:nth-child(20)");
        await page.waitForSelector(".lamp:not([data-led=unknown])");
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.equal(width, viewport.width, "no horizontal scroll");
        const look = `${name}-${colorScheme}-${locale.slice(0, 2)}`;
        await screenshot(page, look);
        await page.click(".led-why");
        await page.waitForSelector("#why-steps [data-step=applied]");
        const [scrolls, shown] = await page.$eval("#why", (dialog) => [
          dialog.scrollWidth,
          dialog.clientWidth,
        ]);
        assert.equal(scrolls, shown, "no horizontal scroll of the dialog");
        await screenshot(page, `why-${look}`, false);
        await page.click("#why-close");
        await page.click("#rules-edit");
        const text = await page.inputValue("#edit-text");
        await page.fill("#edit-text", text.replace("celsius >= 25.0", "celcius >= 26.05"));
        await page.waitForSelector(".mistake");
        await screenshot(page, `edit-wrong-${look}`, false);
        await page.fill("#edit-text", text.replace("celsius >= 25.0", "celsius >= 26.05"));
        await page.waitForSelector("#edit-text[aria-invalid=false]");
        await page.selectOption("#edit-since", "1h");
        await page.click("#edit-replay");
        await page.waitForSelector("#replay .band-row[data-side=new] svg");
        await page.$eval("#replay", (place) => place.scrollIntoView());
        const [editWide, editShown] = await page.$eval("#edit", (dialog) => [
          dialog.scrollWidth,
          dialog.clientWidth,
        ]);
        assert.equal(editWide, editShown, "no horizontal scroll of the dialog");
        await screenshot(page, `edit-${look}`, false);
        // The browser itself reports that a text was refused.
        await close(/422/);
      }
    }
  }
  await browser.close();
  await mtom.remove();
});

/**
 * Ten minutes of weather in steps of two seconds, with a gap, as a device sends it that was away.
 * @param {number} nowMillis
 */
function history(nowMillis) {
  const messages = [];
  for (let step = 300; step > 0; step -= 1) {
    if (step > 120 && step < 150) continue;
    const temperature = Number((23.2 + 2.6 * Math.cos(step / 34)).toFixed(1));
    const time = new Date(nowMillis - step * 2_000).toISOString();
    messages.push(JSON.stringify({ temperature, time }));
  }
  return messages;
}
