/** The history narrowed and scrolled, and the past played back, as a person does it. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
/** @type {Awaited<ReturnType<typeof startMtom>>} */
let mtom;

const RULE =
  'rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="1h",then=[{actuator="TEMP_LED"}]}]';

before(async () => {
  browser = await startBrowser();
  mtom = await startMtom([RULE]);
});
after(async () => {
  await browser.close();
  await mtom.remove();
});

describe("the past", () => {
  test("it is played with its readings and its LED, is marked all the while, and switches nothing", async () => {
    const { page, close } = await browser.open(mtom.url);
    for (const [celsius, state] of [
      ["20.5", "off"],
      ["26.5", "on"],
      ["21.5", "off"],
    ]) {
      mtom.publish("Environ/Temperature", `${celsius} °C`);
      await waitForText(page, "[data-step=reported] .word", state ?? "");
    }
    const ledger = async () => (await (await fetch(`${mtom.url}api/v1/commands`)).json()).commands;
    // The ledger is written right after the page was told.
    while ((await ledger())[0].applied_at === null) await page.reload();
    const before = await ledger();
    assert.equal(await page.isVisible("#player"), false);
    const isHeld = () =>
      page.$eval("#first", (first) => first instanceof HTMLElement && first.inert);
    assert.deepEqual([await isHeld(), await page.isDisabled("#rules-edit")], [false, false]);
    await page.click("#chart-windows button:has-text('2 min')");
    await page.click("#player-open");
    await waitForText(page, "#player-title", /this is the past/);
    await page.waitForFunction(() => document.body.dataset.replay === "");
    assert.deepEqual([await isHeld(), await page.isDisabled("#rules-edit")], [true, true]);
    // Two minutes ago there was nothing yet.
    await waitForText(page, ".led-state", "unknown");
    // Nor was anything of it in the cards, and what passes now is not of then.
    assert.equal(await page.locator("#devices .device").count(), 0);
    assert.doesNotMatch((await page.textContent("#path-text")) ?? "", /min/);
    await page.selectOption("#player-speed", "10");
    await page.click("#player-play");
    // It stops by itself at the end.
    await waitForText(page, "#player-play", "Play");
    await waitForText(page, "#now-main", "21.5");
    await waitForText(page, ".led-state", "off");
    const told = await page.$$eval("#log .what", (all) => all.map((what) => what.textContent));
    const order = [/ 20\.5 °C$/, /is off by/, / 26\.5 °C$/, /is on by/, / 21\.5 °C$/, /is off by/];
    const places = order.map((line, index) => {
      const from = index < 4 ? 0 : told.length / 2;
      return told.toReversed().findIndex((text, at) => at >= from && line.test(text ?? ""));
    });
    assert.ok(places[0] !== -1, told.join("\n"));
    assert.deepEqual(
      places,
      [...places].sort((x, y) => x - y),
      told.join("\n"),
    );
    await page.waitForSelector("#log li[data-kind=applied]");
    await page.click(".led-why");
    await page.waitForSelector("#why-steps [data-step=applied]");
    assert.equal(await page.isVisible("#why-set"), false);
    await page.click("#why-close");
    assert.deepEqual(await ledger(), before, "nothing was decided");
    mtom.publish("Environ/Temperature", "22.5 °C");
    await page.click("#player-close");
    await waitForText(page, "#now-main", "22.5");
    assert.equal(await page.isVisible("#player"), false);
    assert.deepEqual([await isHeld(), await page.isDisabled("#rules-edit")], [false, false]);
    await close();
  });

  test("a time that cannot be loaded is not played, and the present keeps what it has", async () => {
    const { page, close } = await browser.open(mtom.url);
    await waitForText(page, "#now-main", "22.5");
    const isHeld = () => page.getAttribute("#player-play", "aria-disabled");
    await page.route("**/api/v1/commands*", (route) => route.abort());
    await page.click("#player-open");
    await waitForText(page, "#player-failure", /./);
    assert.equal(await isHeld(), "true");
    const time = await page.textContent("#player-time");
    await page.focus("#player-play");
    await page.keyboard.press("Enter");
    assert.equal(await page.textContent("#player-play"), "Play");
    assert.equal(await page.textContent("#player-time"), time);
    await waitForText(page, "#now-main", "22.5");
    await page.unroute("**/api/v1/commands*");
    await page.focus("#player-slider");
    await page.keyboard.press("End");
    await page.waitForSelector("#player-play[aria-disabled=false]");
    assert.equal(await page.textContent("#player-failure"), "");
    await page.click("#player-close");
    await waitForText(page, "#now-main", "22.5");
    // The browser says what was not let through.
    await close(/ERR_FAILED/);
  });

  test("the slider goes to any time, by keyboard too, and the stretch can be chosen", async () => {
    const { page, close } = await browser.open(mtom.url);
    await waitForText(page, "#now-main", /^\d/);
    const now = Date.now();
    await page.click("#player-open");
    await page.waitForSelector("#player:not([hidden])");
    const local = (/** @type {number} */ millis) => {
      const date = new Date(millis - new Date(millis).getTimezoneOffset() * 60_000);
      return date.toISOString().slice(0, 19);
    };
    await page.click("#player-stretch summary");
    await page.fill("#player-from", local(now - 3_600_000));
    await page.fill("#player-until", local(now + 60_000));
    await page.focus("#player-slider");
    await page.keyboard.press("End");
    await waitForText(page, "#now-main", "22.5");
    await page.keyboard.press("Home");
    await page.waitForSelector("#now-value", { state: "hidden" });
    const time = await page.textContent("#player-time");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(
      (before) => document.querySelector("#player-time")?.textContent !== before,
      time,
    );
    assert.notEqual(await page.getAttribute("#player-slider", "aria-valuetext"), time);
    await page.fill("#player-until", local(now - 7_200_000));
    await waitForText(page, "#player-failure", "The end must be after the beginning");
    await close();
  });
});

describe("the history", () => {
  test("it is narrowed by device, time and value, in the person's unit", async () => {
    const house = await startMtom();
    const at = (/** @type {number} */ ago) => new Date(Date.now() - ago * 1_000).toISOString();
    for (const [temperature, ago] of [
      [10, 7_200],
      [20, 60],
      [30, 30],
    ]) {
      house.publish("Environ/Temperature", JSON.stringify({ temperature, time: at(ago ?? 0) }));
    }
    house.publish("Environ/kitchen/Humidity", "40 %");
    const { page, close } = await browser.open(house.url);
    await waitForText(page, "#history-count", "4 rows");
    await page.selectOption("#history-device", "Environ/kitchen");
    await waitForText(page, "#history-count", "1 rows");
    await page.selectOption("#history-device", "Environ");
    await waitForText(page, "#history-count", "3 rows");
    await page.click("button[data-unit=F]");
    await waitForText(page, "#history-min-label", "At least (°F)");
    await page.fill("#history-min", "60");
    await page.press("#history-min", "Tab");
    await waitForText(page, "#history-count", "2 rows");
    await page.fill("#history-max", "70");
    await page.press("#history-max", "Tab");
    await waitForText(page, "#history-count", "1 rows");
    await waitForText(page, "#history-rows", /20\.0 °C/);
    await page.click("button[data-unit=C]");
    await waitForText(page, "#history-min-label", "At least (°C)");
    assert.equal(Number(await page.inputValue("#history-min")).toFixed(3), "15.556");
    await page.click("button[data-unit=F]");
    assert.equal(await page.inputValue("#history-min"), "60");
    await waitForText(page, "#history-count", "1 rows");
    await page.fill("#history-max", "61");
    await page.press("#history-max", "Tab");
    await waitForText(page, "#history-notice", "No reading is like that");
    await page.click("#history-clear");
    await waitForText(page, "#history-count", "4 rows");
    const hourAgo = new Date(Date.now() - 3_600_000 - new Date().getTimezoneOffset() * 60_000);
    await page.fill("#history-from", hourAgo.toISOString().slice(0, 19));
    await page.press("#history-from", "Tab");
    await waitForText(page, "#history-count", "3 rows");
    await page.fill("#history-until", hourAgo.toISOString().slice(0, 19));
    await page.fill("#history-from", "");
    await page.press("#history-from", "Tab");
    await waitForText(page, "#history-count", "1 rows");
    await waitForText(page, "#history-rows", /10\.0 °C/);
    await close();
    await house.remove();
  });

  test("who scrolls to the end gets the next rows, until there are none", async () => {
    const house = await startMtom();
    house.publish(
      "Environ/Temperature",
      Array.from({ length: 65 }, (_, index) => `${20 + (index % 10)} °C`),
    );
    const { page, close } = await browser.open(house.url);
    await waitForText(page, "#history-count", "20 rows");
    for (const count of [40, 60, 65]) {
      await page.$eval("#history-scroll", (place) => place.scrollTo(0, place.scrollHeight));
      await waitForText(page, "#history-count", `${count} rows`);
    }
    await waitForText(page, "#history-notice", "No more data");
    await close();
    await house.remove();
  });

  test("rejects are narrowed by device, topic, reason and time, and all are back at a press", async () => {
    const house = await startMtom();
    house.publish("Environ/Temperature", ["20 °C", "23,4 °C", "-127 °C"]);
    house.publish("Environ/attic/Temperature", ["20 °C", "warm"]);
    const { page, close } = await browser.open(house.url);
    const rows = () => page.locator("#rejects li");
    /** @param {number} count */
    const has = (count) =>
      page.waitForFunction(
        (wanted) => document.querySelectorAll("#rejects li").length === wanted,
        count,
      );
    const clear = async () => {
      await page.click("#rejects-filters button[type=reset]");
      await has(3);
    };
    await has(3);
    await page.selectOption("#rejects-code", "decimal_comma");
    await has(1);
    assert.match((await rows().textContent()) ?? "", /23,4/);
    await clear();
    await page.focus("#rejects-device");
    await page.selectOption("#rejects-device", "Environ/attic");
    await has(1);
    assert.match((await rows().textContent()) ?? "", /warm/);
    await clear();
    await page.fill("#rejects-topic", "Environ/+");
    await page.press("#rejects-topic", "Enter");
    await has(2);
    await clear();
    await page.fill("#rejects-until", "2001-01-01T00:00:00");
    await has(0);
    await waitForText(page, "#rejects-notice", "No reject is like that.");
    await clear();
    await page.fill("#rejects-from", "2001-01-01T00:00:00");
    await page.selectOption("#rejects-code", "sensor_lost");
    await has(1);
    await close();
    await house.remove();
  });

  test("older rejects are a press away, and the log shows what is looked for", async () => {
    const house = await startMtom();
    house.publish("Environ/Humidity", "41 %");
    house.publish(
      "Environ/Temperature",
      Array.from({ length: 25 }, (_, index) => `word ${index}`),
    );
    const { page, close } = await browser.open(house.url);
    await page.waitForSelector("#rejects li:nth-child(20)");
    await page.click("#rejects-more");
    await page.waitForSelector("#rejects li:nth-child(25)");
    assert.equal(await page.isVisible("#rejects-more"), false);
    await page.waitForSelector("#log li[data-kind=rejected]");
    await page.fill("#log-words", "humidity 41");
    await page.waitForSelector("#log li[data-kind=stored]");
    assert.equal(await page.locator("#log li").count(), 1);
    await page.fill("#log-words", "nobody says that");
    await waitForText(page, "#log-empty", "Nothing like that was said");
    await close();
    await house.remove();
  });
});
