/** What Home Assistant is told, and what was found by what others tell it, against the real binary. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startBrowser, waitForText, withMtom } from "./world.js";

const FOLDER = fileURLToPath(new URL("../../../target/screenshots/", import.meta.url));
const ON = ["homeassistant.announce=true", "homeassistant.discover=true", "simulate.actuators=1"];
const CONFIG = {
  stat_t: "bath/state",
  dev_cla: "temperature",
  unit_of_meas: "°C",
  val_tpl: "{{ value_json.t }}",
  dev: { ids: "b1", name: "Bath <b>" },
};

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
before(async () => {
  browser = await startBrowser();
  mkdirSync(FOLDER, { recursive: true });
});
after(() => browser.close());

test("what is told and what was found is on the page, in both languages and on a phone", () =>
  withMtom(ON, async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    mtom.publish("Environ/Temperature", "23.4");
    await page.waitForSelector("#house:not([hidden])");
    await waitForText(page, "#house-tally", "No config has come.");
    await waitForText(page, "#house-counts", /^Devices: 1, sensors: 1, switches: 1\./);
    await waitForText(page, "#house-word", "Home Assistant has not said yet whether it is there");
    mtom.publish("homeassistant/status", "online");
    await waitForText(page, "#house-word", "Home Assistant says that it is there");
    mtom.publish("homeassistant/status", "offline");
    await page.waitForSelector("#house-line[data-state=away]");
    mtom.publish("homeassistant/sensor/bath/config", JSON.stringify(CONFIG));
    const odd = { ...CONFIG, val_tpl: "{{ value_json.t ** 2 }}" };
    mtom.publish("homeassistant/sensor/odd/config", JSON.stringify(odd));
    const light = { cmd_t: "cmnd/lamp", stat_t: "stat/lamp", dev: { ids: "l", name: "Lamp" } };
    mtom.publish("homeassistant/switch/lamp/config", JSON.stringify(light));
    await page.waitForSelector("#house-list > li:nth-child(3)");
    await waitForText(page, "#house-list > li:first-child > span", /^not understood: /);
    await waitForText(page, "#house-list > [data-standing=read] strong", "Bath <b>");
    await waitForText(page, "#house-list > [data-standing=read] code", "bath/state");
    await waitForText(
      page,
      "#house-list > [data-standing=switch] code",
      "mqtt:cmnd/lamp?state=stat/lamp",
    );
    await waitForText(
      page,
      "#house-tally",
      "Configs: 3, sensors: 1, switches: 1, not understood: 1",
    );
    // The list can be reached and scrolled without a mouse.
    await page.focus("#house-list");
    await page.locator("#house").screenshot({ path: `${FOLDER}house.png` });

    // Of the past there is nothing to say here.
    await page.click("#player-open");
    await page.waitForSelector("#house", { state: "hidden" });
    await page.click("#player-close");
    await page.waitForSelector("#house:not([hidden])");

    await page.click("button[data-language=zh]");
    await waitForText(page, "#house-word", "Home Assistant 已离线");
    await waitForText(page, "#house-tally", "配置 3 份、传感器 1 个、开关 1 个、读不懂 1 个");
    await close();
    const phone = await browser.open(mtom.url, {
      viewport: { width: 360, height: 740 },
      colorScheme: "dark",
    });
    await phone.page.waitForSelector("#house-list > li:nth-child(3)");
    const isWide = () => document.documentElement.scrollWidth > innerWidth;
    assert.equal(await phone.page.evaluate(isWide), false, "no horizontal scroll");
    await phone.page.locator("#house").screenshot({ path: `${FOLDER}house-phone.png` });
    await phone.close();
  }));

test("where neither is wanted nothing is said of it", () =>
  withMtom([], async (mtom) => {
    const { page, close } = await browser.open(mtom.url);
    await page.waitForResponse(/\/api\/v1\/homeassistant$/);
    await page.waitForSelector("#house", { state: "hidden" });
    await close();
  }));
