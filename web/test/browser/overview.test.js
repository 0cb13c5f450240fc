/** The overview as a person looks at it: every device at a glance, against the real binary. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { startBrowser, startMtom, startSensor, waitForText, withMtom } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/**
 * Readings of the past, one every two seconds but for a hole, as a device sends them that was away.
 * @param {number} untilMillis
 */
function past(untilMillis) {
  return Array.from({ length: 30 }, (_, index) => 30 - index)
    .filter((step) => step < 10 || step > 20)
    .map((step) => {
      const time = new Date(untilMillis - step * 2_000).toISOString();
      return JSON.stringify({ temperature: 20 + (step % 5), time });
    });
}

const CARD = ".device[data-device=Environ]";

describe("devices", () => {
  test("each is a card, with everything that it measures", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", "21 °C");
      mtom.publish("Environ/kitchen/Temperature", "22 °C");
      mtom.publish("Environ/kitchen/Humidity", "40 %");
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, `${CARD} .value`, "21.0 °C");
      const kitchen = ".device[data-device='Environ/kitchen']";
      await waitForText(page, `${kitchen} [data-quantity=Temperature] .value`, "22.0 °C");
      await waitForText(page, `${kitchen} [data-quantity=Humidity] .value`, "40%");
      await waitForText(page, "#overview-summary", "2 of 2 devices are heard");
      mtom.publish("Environ/cellar/Temperature", "9.5 °C");
      await waitForText(page, ".device[data-device='Environ/cellar'] .value", "9.5 °C");
      await page.focus(`${kitchen} [data-quantity=Humidity]`);
      await page.keyboard.press("Enter");
      await waitForText(page, "#now-main", "40");
      mtom.publish("Environ/attic/Temperature", "30 °C");
      await waitForText(page, ".device[data-device='Environ/attic'] .value", "30.0 °C");
      const focused = await page.evaluate(() => document.activeElement?.textContent);
      assert.match(focused ?? "", /40%/, "a new card takes the focus from nobody");
      await close();
    });
  });

  test("values are in the person's unit, which is remembered", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", "23.4 °C");
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, `${CARD} .value`, "23.4 °C");
      await page.click("button[data-unit=F]");
      await waitForText(page, `${CARD} .value`, "74.1 °F");
      await waitForText(page, "#now-main", "74.1");
      await waitForText(page, "#now-second", "23.4 °C");
      await page.reload();
      await waitForText(page, `${CARD} .value`, "74.1 °F");
      assert.equal(await page.getAttribute("[data-unit=F]", "aria-pressed"), "true");
      await close();
    });
  });

  test("the line of the last while is there at once, with its gap", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", past(Date.now()));
      const { page, close } = await browser.open(mtom.url);
      await page.waitForFunction(() => {
        const d = document.querySelector(".device .spark-line")?.getAttribute("d") ?? "";
        return d.split("M").length === 3 && d.split("L").length > 15;
      });
      await close();
    });
  });

  test("of many those out of sight are filled too, and have their line when they are scrolled to", async () => {
    await withMtom([], async (mtom) => {
      const sensors = startSensor(mtom.ready.mqtt, ["--count", "60"]);
      const { page, close } = await browser.open(mtom.url);
      await page.waitForFunction(() => {
        const values = [...document.querySelectorAll(".device .value")];
        return values.length === 60 && values.every(({ textContent }) => textContent !== "");
      });
      // In the order of their names the last one.
      const asked = page.waitForRequest(/readings\?device=Environ%2Fsim9&/);
      await page.$eval("#devices", (list) => list.scrollTo(0, list.scrollHeight));
      await asked;
      await sensors.kill();
      await close();
    });
  });

  test("one that has missed three readings turns grey and says so; its age grows", async () => {
    await withMtom([], async (mtom) => {
      const [host = "", port = ""] = mtom.ready.mqtt.split(":");
      // It stays connected and says nothing more.
      const line = ["-h", host, "-p", port, "-q", "1", "-t", "Environ/Temperature", "-l"];
      const device = spawn("mosquitto_pub", line, { stdio: ["pipe", "ignore", "ignore"] });
      try {
        device.stdin.write(`${past(Date.now() - 15_000).join("\n")}\n`);
        const { page, close } = await browser.open(mtom.url);
        await page.waitForSelector(`${CARD}[data-state=stale] .measure.is-stale`);
        await waitForText(page, `${CARD} .said`, "silent: three readings missed");
        await waitForText(page, "#overview-summary", "0 of 1 devices are heard");
        const before = await page.textContent(`${CARD} .when`);
        await page.waitForFunction(
          ({ place, before }) => document.querySelector(place)?.textContent !== before,
          { place: `${CARD} .when`, before },
        );
        device.stdin.write("25 °C\n");
        await page.waitForSelector(`${CARD}[data-state=fresh] .measure:not(.is-stale)`);
        await waitForText(page, `${CARD} .said`, "");
        await close();
      } finally {
        device.kill("SIGKILL");
      }
    });
  });

  test("one of another system is offline when it says so, and back with its next reading", async () => {
    await withMtom(['ingest.topics=["tele/+/SENSOR"]'], async (mtom) => {
      const reading = '{"Time":"2026-11-23T08:06:30","DS18B20":{"Temperature":21.5}}';
      const plug = ".device[data-device=plug]";
      mtom.publish("tele/plug/SENSOR", reading);
      const { page, close } = await browser.open(mtom.url);
      await page.waitForSelector(`${plug}[data-state=fresh]`);
      mtom.publish("tele/plug/LWT", "Offline");
      await page.waitForSelector(`${plug}[data-state=offline]`);
      await waitForText(page, `${plug} .said`, /^offline since \d\d:\d\d:\d\d$/);
      await waitForText(page, "#overview-summary", "0 of 1 devices are heard");
      await page.reload();
      await page.waitForSelector(`${plug}[data-state=offline]`);
      mtom.publish("tele/plug/SENSOR", reading);
      await page.waitForSelector(`${plug}[data-state=fresh]`);
      await waitForText(page, `${plug} .said`, "");
      await close();
    });
  });

  test("one that has said goodbye and is missed is offline", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", past(Date.now() - 15_000));
      const { page, close } = await browser.open(mtom.url);
      await page.waitForSelector(`${CARD}[data-state=offline] .measure.is-stale`);
      await waitForText(page, `${CARD} .said`, /^offline since/);
      await close();
    });
  });

  test("a device whose connection is lost is offline at once, and back when it is", async () => {
    await withMtom([], async (mtom) => {
      const sensor = () =>
        startSensor(mtom.ready.mqtt, ["--id", "hall", "--topic", "Environ/Temperature"]);
      const first = sensor();
      const { page, close } = await browser.open(mtom.url);
      await page.waitForSelector(`${CARD}[data-state=fresh]`);
      await first.kill();
      await page.waitForSelector(`${CARD}[data-state=offline]`);
      await waitForText(page, `${CARD} .said`, /^offline since \d\d:\d\d:\d\d$/);
      const second = sensor();
      await page.waitForSelector(`${CARD}[data-state=fresh]`);
      await second.kill();
      await close();
    });
  });
});

describe("the path", () => {
  const RULE =
    'rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="1h",then=[{actuator="TEMP_LED"}]}]';

  /** @param {string} place */
  const hop = (place) => `#path [data-place=${place}]`;

  test("it lives: what passes is counted, and each way is timed", async () => {
    await withMtom([RULE], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await page.waitForSelector(`${hop("sensor")}[data-state=idle]`);
      mtom.publish("Environ/Temperature", ["21 °C", "26 °C"]);
      await page.waitForSelector(`${hop("sensor")}[data-state=good]`);
      await waitForText(page, `${hop("store")} .figure`, "2 / min");
      await waitForText(page, `${hop("actuator")} .figure`, /^[12] \/ min$/);
      await page.waitForSelector(`${hop("actuator")}[data-state=good]`);
      await waitForText(page, "#path-text", /Store: works, 2 \/ min, [\d.]+ (µs|ms|s)/);
      await waitForText(page, "#path-text", /Actuator: works, [12] \/ min, [\d.]+ (µs|ms|s)/);
      assert.equal(await page.isVisible("#path-troubles"), false);
      await close();
    });
  });

  test("a part that is broken is red and says what to do", async () => {
    const link = 'actuator=[{name="TEMP_LED",link="tcp:127.0.0.1:1"}]';
    await withMtom([RULE, link, "broker.url=mqtt://127.0.0.1:2"], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await page.waitForSelector(`${hop("actuator")}[data-state=broken]`);
      await page.waitForSelector(`${hop("broker")}[data-state=broken]`);
      const [colour, bad] = await page.$eval(`${hop("broker")} rect`, (box) => {
        const probe = document.createElement("p");
        probe.className = "probe";
        document.body.append(probe);
        probe.style.color = "var(--bad)";
        return [getComputedStyle(box).stroke, getComputedStyle(probe).color];
      });
      assert.equal(colour, bad);
      await waitForText(page, "#path-troubles", /start the broker, or check broker\.url/);
      await waitForText(page, "#path-troubles", /TEMP_LED: the link is \w+ \(.*refused/i);
      await waitForText(page, "#path-text", /Broker: broken, .*start the broker/);
      await close();
    });
  });

  test("a gateway that has gone is the broken part, and the last values stay", async () => {
    const mtom = await startMtom([]);
    mtom.publish("Environ/Temperature", "21 °C");
    const { page, close } = await browser.open(mtom.url);
    await waitForText(page, `${CARD} .value`, "21.0 °C");
    await mtom.remove();
    await page.waitForSelector(`${hop("gateway")}[data-state=broken]`);
    await waitForText(page, "#path-troubles", "Gateway: does not run. Start it with mtom up.");
    await waitForText(page, `${CARD} .value`, "21.0 °C");
    // The browser itself reports that nobody answers.
    await close(/./);
  });

  test("nothing moves for whom it shall not, and it fits a phone", async () => {
    await withMtom([RULE], async (mtom) => {
      mtom.publish("Environ/Temperature", "21 °C");
      const { page, close } = await browser.open(mtom.url, {
        reducedMotion: "reduce",
        viewport: { width: 360, height: 740 },
      });
      await page.waitForSelector("#path .wire[data-state=good]", { state: "attached" });
      const moving = () => document.getAnimations().length;
      assert.equal(await page.evaluate(moving), 0);
      await page.emulateMedia({ reducedMotion: "no-preference" });
      assert.notEqual(await page.evaluate(moving), 0);
      const [scrolls, shown] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        document.documentElement.clientWidth,
      ]);
      assert.equal(scrolls, shown, "no horizontal scroll");
      await close();
    });
  });
});
