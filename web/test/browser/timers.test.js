/** How rules are and what they wait for, on the page, against the real binary. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/**
 * @param {string} name
 * @param {string} keys
 */
const rule = (name, keys) =>
  `{name="${name}",when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",${keys}}`;

/** @param {string} time `1:59:58` */
const seconds = (time) => time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

test("what a rule waits for is counted down by the gateway's clock, and comes true", async () => {
  const slow = rule("slow", 'for="1h",max_age="2h",then=[{publish="alarm"}]');
  const quick = rule("quick", 'for="3s",max_age="never",then=[{actuator="TEMP_LED"}]');
  const mtom = await startMtom([`rule=[${slow},${quick}]`]);
  try {
    const { page, close } = await browser.open(mtom.url, {}, async (page) => {
      // A browser whose clock is two hours ahead.
      await page.addInitScript(() => {
        const now = Date.now;
        Date.now = () => now() + 7_200_000;
      });
    });
    const [first, second] = [1, 2].map((place) => `#rules-list > li:nth-child(${place})`);
    await waitForText(page, `${first} .rule-state`, "unknown");
    await waitForText(page, "#rules-totals", "0 on, 0 off, 2 unknown");
    mtom.publish("Environ/Temperature", "28 °C");
    await waitForText(page, `${second} .rule-timers`, /^on in 0:0[1-3] \(for: /);
    await waitForText(page, `${first} li:first-child`, /^on in (1:00:00|59:\d\d) \(for: /);
    await waitForText(page, `${first} li:last-child`, /^off in (2:00:00|1:59:\d\d) \(max_age: /);
    const left = async () => {
      const text = (await page.textContent(`${first} li:first-child`)) ?? "";
      return seconds(/in ([\d:]+)/.exec(text)?.[1] ?? "");
    };
    const before = await left();
    await waitForText(page, "[data-step=reported] .word", "on");
    await waitForText(page, `${second} .rule-state`, /^on since \d\d:\d\d:\d\d$/);
    assert.equal(await page.isVisible(`${second} .rule-timers`), false);
    assert.ok((await left()) < before, "an hour gets shorter");
    await waitForText(page, "#rules-totals", "1 on, 0 off, 1 unknown");

    await page.evaluate(() =>
      fetch("/api/v1/actuators/TEMP_LED/set", {
        method: "PUT",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ led: "off", seconds: 600 }),
      }),
    );
    await waitForText(
      page,
      "#rules-waits",
      /^TEMP_LED off by hand: on in (10:00|9:\d\d) \(then the rules speak again\)$/,
    );
    await close();
  } finally {
    await mtom.remove();
  }
});

test("of many rules some are listed, and all are counted", async () => {
  const rules = Array.from({ length: 130 }, (_, index) =>
    rule(`r${index}`, 'max_age="1h",then=[{publish="alarm"}]'),
  );
  const mtom = await startMtom([`rule=[${rules.join(",")}]`]);
  try {
    const options = { viewport: { width: 360, height: 740 }, locale: "zh-CN" };
    const { page, close } = await browser.open(mtom.url, options);
    await waitForText(page, "#rules-totals", "亮 0，灭 0，未知 130");
    mtom.publish("Environ/Temperature", "28 °C");
    await waitForText(page, "#rules-totals", "亮 130，灭 0，未知 0");
    await waitForText(page, "#rules-list > li:last-child", /^r99亮 自 /);
    assert.equal(await page.locator("#rules-list > li").count(), 100);
    await page.click("#rules-more");
    await waitForText(page, "#rules-list > li:last-child", /^r129亮 自 .*59:\d\d 后灭（max_age/);
    assert.equal(await page.isVisible("#rules-more"), false);
    await close();
  } finally {
    await mtom.remove();
  }
});

test("an alert that nobody takes is red, says what to do, and stands among the others", async () => {
  // Nobody listens there.
  const webhook = rule("heat", 'max_age="1h",then=[{webhook="http://127.0.0.1:1/hook"}]');
  const mtom = await startMtom([`rule=[${webhook}]`]);
  try {
    const { page, close } = await browser.open(mtom.url);
    await page.click("#alerts summary");
    await waitForText(page, "#alerts-note", "Nothing yet.");
    mtom.publish("Environ/Temperature", "28 °C");
    await waitForText(
      page,
      "#path-troubles [data-place=rules]",
      /^Rules: Alerts wait: 1; heat is not taken by http:\/\/127\.0\.0\.1:1.*\. Start what should take it/,
    );
    assert.equal(await page.getAttribute(".hop[data-place=rules]", "data-state"), "broken");
    await waitForText(page, "#alerts-list li", /^heat on: http:\/\/127\.0\.0\.1:1.*waits: /);
    await close();
  } finally {
    await mtom.remove();
  }
});

test("a replay shows the rules that ran then", async () => {
  const mtom = await startMtom([
    `rule=[${rule("old", 'max_age="1h",then=[{actuator="TEMP_LED"}]')}]`,
  ]);
  try {
    const { page, close } = await browser.open(mtom.url);
    mtom.publish("Environ/Temperature", "28 °C");
    await waitForText(page, "[data-step=reported] .word", "on");
    // The first rules run for so long that a second of it can be found.
    await waitForText(page, "#now-age", /([2-9]|\d\d) s|min/);
    const { readings } = await (await fetch(`${mtom.url}api/v1/latest`)).json();
    const text = (await (await fetch(`${mtom.url}api/v1/rules`)).json()).version.text;
    const put = { method: "PUT", headers: { "Content-Type": "application/toml" } };
    const body = text.replace("old", "new");
    assert.equal((await fetch(`${mtom.url}api/v1/rules`, { ...put, body })).status, 200);
    await waitForText(page, "#rules-list .rule-head", /^new/);
    await page.click("#chart-windows button:has-text('2 min')");
    await page.click("#player-open");
    // Two minutes ago none ran.
    await page.waitForSelector("#rules-list:not(:has(li))", { state: "attached" });
    await waitForText(page, "#rules-note:not([hidden])", "No rule runs.");
    const begin = new Date(await page.inputValue("#player-from")).getTime() / 1_000;
    const place = Math.ceil(readings[0].at_micros / 1e6 - begin);
    await page.$eval(
      "#player-slider",
      (slider, value) => {
        /** @type {HTMLInputElement} */ (slider).value = String(value);
        slider.dispatchEvent(new Event("input"));
      },
      place,
    );
    await waitForText(page, "#rules-list .rule-head", /^old/);
    await waitForText(page, "#player-rules", "Rules of version 1, which ran then");
    await waitForText(page, "#rules-version", /^Version 1, /);
    await page.selectOption("#player-speed", "1");
    await page.click("#player-play");
    await waitForText(page, "#rules-list .rule-head", /^new/);
    await waitForText(page, "#log", /Rules of version 2 run now/);
    await page.click("#player-close");
    await waitForText(page, "#rules-list .rule-head", /^new/);
    await waitForText(page, "#rules-version", /^Version 2, /);
    await close();
  } finally {
    await mtom.remove();
  }
});
