/** The first minute of a person with mtom, against the real binary. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startMtom>>} Mtom */
/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/**
 * @param {string[]} sets
 * @param {(mtom: Mtom) => Promise<void>} use
 */
async function withMtom(sets, use) {
  const mtom = await startMtom(sets);
  try {
    await use(mtom);
  } finally {
    await mtom.remove();
  }
}

/** Everything that only this computer reaches, but for the broker. */
const OPEN = ["broker.listen=0.0.0.0:0", "security.insecure=true"];

test("a broker for this computer alone says so and how to open it", async () => {
  await withMtom([], async (mtom) => {
    const { page, close } = await browser.open(mtom.url, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await page.waitForSelector("#first[open]");
    assert.equal(await page.isVisible("#first-alone"), true);
    assert.equal(await page.isVisible("#first-reach"), false);
    const [, port = ""] = mtom.ready.mqtt.split(":");
    await page.click("#first-open-copy");
    await waitForText(page, "#first-open-copy", "Copied");
    const line = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(line, `mtom up --set broker.listen=0.0.0.0:${port} --set security.insecure=true`);
    await close();
  });
});

test("the ready command to publish can be copied, and works as it stands", async () => {
  await withMtom([], async (mtom) => {
    const { page, close } = await browser.open(mtom.url, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await page.click("#first-publish-copy");
    await waitForText(page, "#first-publish-copy", "Copied");
    const line = await page.evaluate(() => navigator.clipboard.readText());
    const found = /^mosquitto_pub -h (\S+) -p (\d+) -q 1 -t (\S+) -m '(.*)'$/.exec(line);
    const [, host, port, topic = "", payload = ""] = found ?? [];
    assert.equal(`${host}:${port}`, mtom.ready.mqtt);
    mtom.publish(topic, payload);
    await waitForText(page, "#now-main", "26.5");
    await close();
  });
});

test("a broker that is open says by which address an ESP32 reaches it", async () => {
  await withMtom(OPEN, async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    await page.waitForSelector("#first[open]");
    const { reach } = await (await fetch(`${mtom.url}api/v1/status`)).json();
    const text = (await page.textContent("#first")) ?? "";
    assert.doesNotMatch(text.replace(/mtom up --set \S+/, ""), /0\.0\.0\.0/);
    if (reach.length === 0) {
      assert.equal(await page.isVisible("#first-nowhere"), true, "this computer is in no network");
    } else {
      const [, host = ""] = /^(.*):\d+$/.exec(reach[0]) ?? [];
      await waitForText(page, "#first-host", host);
      assert.doesNotMatch(host, /^127\.|^0\.|^localhost/);
      await waitForText(page, "#first-flash", new RegExp(`--broker ${host}:`));
    }
    await close();
  });
});

test("dragging the simulated sensor above the threshold lights the LED, the whole way", async () => {
  await withMtom(["simulate.sensors=1", "simulate.period=200ms"], async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    await waitForText(page, "#play-hint", /At 25\.0 °C the LED goes on/);
    const box = await page.locator("#play-slider").boundingBox();
    assert.ok(box !== null);
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.4, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.8, y, { steps: 8 });
    await page.mouse.up();
    const held = Number(await page.inputValue("#play-slider"));
    assert.ok(held > 30, `${held}`);
    await waitForText(page, "#now-main", held.toFixed(1));
    await waitForText(page, "#play-outcome", "TEMP_LED is on, as the device reports it");
    await page.waitForSelector(".lamp[data-led=on][data-sure=true]");
    await page.focus("#play-slider");
    await page.keyboard.press("Home");
    await waitForText(page, "#play-value", "0.0 °C");
    await waitForText(page, "#play-outcome", "TEMP_LED is off, as the device reports it");
    await page.click("button[data-unit=F]");
    await waitForText(page, "#play-value", "32.0 °F");
    await page.reload();
    await waitForText(page, "#play-value", "32.0 °F");
    await page.click("#play-release");
    await waitForText(page, "#play-value", "its own weather");
    await page.waitForFunction(() => document.querySelector("#now-main")?.textContent !== "32.0");
    await close();
  });
});

test("without a simulated sensor there is nothing to drag, and what was closed stays closed", async () => {
  await withMtom([], async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    await page.waitForSelector("#first[open]");
    assert.equal(await page.isVisible("#play"), false);
    await page.focus("#first > summary");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#first:not([open])");
    await page.reload();
    await waitForText(page, "#connection", /Live/);
    await page.waitForSelector("#first:not([open])");
    await close();
  });
});
