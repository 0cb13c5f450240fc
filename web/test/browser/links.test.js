/** Links and hands on devices as the page shows them, with devices that are processes of their own. */

import { after, before, describe, test } from "node:test";
import { startBrowser, startDevice, startMtom, waitForText } from "./world.js";

/** @typedef {import("./world.js").Mtom} Mtom */
/** @typedef {Awaited<ReturnType<typeof startDevice>>} Device */
/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

const RULE =
  'rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="never",then=[{actuator="TEMP_LED"}]}]';

/**
 * An LED that is lit.
 * @param {string} more of its configuration
 * @param {(mtom: Mtom, device: Device) => Promise<void>} use
 */
async function withLed(more, use) {
  const device = await startDevice();
  const link = `actuator=[{name="TEMP_LED",link="tcp:${device.address}"${more}}]`;
  const mtom = await startMtom([RULE, link]);
  try {
    mtom.publish("Environ/Temperature", "26.5 °C");
    await use(mtom, device);
  } finally {
    await mtom.remove();
    await device.kill();
  }
}

const LIT = "TEMP_LED is on, as the device reports it";

describe("a hand on the device", () => {
  test("it is told and put right", async () => {
    await withLed("", async (mtom, device) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#led-announce", LIT);
      device.press();
      await page.waitForSelector("#log li[data-kind=drifted]");
      await waitForText(
        page,
        "#log li[data-kind=drifted]",
        /TEMP_LED was switched off at the device/,
      );
      await waitForText(page, "#led-announce", LIT);
      await waitForText(page, "[data-step=desired] .word", "on");
      await close();
    });
  });

  test("it is told and stands, where that is configured", async () => {
    await withLed(',drift="adopt"', async (mtom, device) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#led-announce", LIT);
      device.press();
      await waitForText(page, "#led-announce", "TEMP_LED is off, as the device reports it");
      await waitForText(page, "[data-step=desired] .word", "off");
      await close();
    });
  });
});

describe("a link", () => {
  test("one that is lost tells since when and why, in both languages, until it is back", async () => {
    await withLed("", async (mtom, device) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#led-announce", LIT);
      await waitForText(page, ".led-facts [data-state=up]", /^Link upsince \d\d:\d\d:\d\d$/);
      await device.kill();
      const lost =
        /^Link (broken|connecting|away)since \d\d:\d\d:\d\d( · not up since \d\d:\d\d:\d\d)?$/;
      await waitForText(page, ".led-facts [data-state]:not([data-state=up])", lost);
      await waitForText(page, ".led-facts", /connection refused; is the device listening/);
      // The last word of the device is still shown, and that it is old.
      await waitForText(
        page,
        "#led-announce",
        /TEMP_LED is on, as last reported; the link is (away|connecting)/,
      );
      await page.click("button[data-language=zh]");
      await waitForText(page, ".led-facts", /链路 (未连接|连接中)自 \d\d:\d\d:\d\d/);
      await page.click("button[data-language=en]");
      const again = await startDevice([], device.address);
      try {
        await waitForText(page, "#led-announce", LIT);
        await waitForText(page, ".led-facts [data-state=up]", /^Link upsince/);
      } finally {
        await again.kill();
      }
      await close();
    });
  });
});
