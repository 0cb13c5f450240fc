/** The first minute of a person with mtom, against the real binary. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { LIMIT_MILLIS, startBrowser, waitForText, withMtom } from "./world.js";

/** @typedef {import("./world.js").Mtom} Mtom */
/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

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

/**
 * Tries to publish as a client of another computer would.
 * @param {string} address
 * @param {string} name
 * @returns {boolean} whether it was let in
 */
function knock(address, name) {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address) ?? [];
  const line = ["-h", host, "-p", port, "-q", "1", "-i", name, "-t", "Environ/Temperature"];
  const done = spawnSync("mosquitto_pub", [...line, "-m", "21 °C"], { timeout: LIMIT_MILLIS });
  assert.equal(done.error, undefined);
  return done.status === 0;
}

test("who knocked and was refused is shown, and is let in once it is allowed", async (t) => {
  const sets = [...OPEN, 'broker.clients="allowed"'];
  await withMtom(sets, async (mtom) => {
    const address = await addressFor(mtom);
    if (address === undefined) {
      return t.skip("this computer is in no network, so nobody can come from another one");
    }
    const harm = "<img src=x onerror=alert(1)>";
    const { page, close } = await browser.open(mtom.url);
    await waitForText(page, "#guests-admission", /only those are let in who are allowed here/);
    await waitForText(page, "#guests-none", "Nobody was refused since the start.");
    assert.equal(knock(address, "esp32-hall"), false);
    assert.equal(knock(address, harm), false);
    await page.waitForSelector("#guests-refused [data-client=esp32-hall]");
    await waitForText(page, "#guests-badge", "refused: 2");
    await waitForText(page, "#guests-refused", /<img src=x onerror=alert\(1\)>/);
    await waitForText(page, "[data-client=esp32-hall] .small", /1 times: nobody has allowed it/);
    await page.focus("#guests-refused [data-client=esp32-hall] button");
    assert.equal(knock(address, "esp32-hall"), false);
    await waitForText(page, "[data-client=esp32-hall] .small", /2 times: nobody has allowed it/);
    // The focus is where it was.
    await page.keyboard.press("Enter");
    await waitForText(page, "#guests-outcome", "esp32-hall is let in when it knocks again.");
    await page.waitForSelector("#guests-allowed [data-client=esp32-hall]");
    assert.equal(knock(address, "esp32-hall"), true);
    await waitForText(page, ".device[data-device=Environ] .value", "21.0 °C");
    assert.equal(knock(address, harm), false);
    await close();
    await mtom.stop();
    await withMtom(sets, takeBack, mtom.folder);
  });
});

/**
 * What was allowed holds after a restart, until it is taken back.
 * @param {Mtom} mtom
 */
async function takeBack(mtom) {
  const address = (await addressFor(mtom)) ?? "";
  assert.equal(knock(address, "esp32-hall"), true);
  const { page, close } = await browser.open(mtom.url);
  await page.waitForSelector("#guests-allowed [data-client=esp32-hall]");
  await page.click("#guests-allowed [data-client=esp32-hall] button");
  await waitForText(page, "#guests-outcome", "esp32-hall is not let in any more.");
  const gone = { state: /** @type {const} */ ("detached") };
  await page.waitForSelector("#guests-allowed [data-client=esp32-hall]", gone);
  assert.equal(knock(address, "esp32-hall"), false);
  await page.waitForSelector("#guests-refused [data-client=esp32-hall]");
  await close();
}

/**
 * The broker's address for other computers, if there is one.
 * @param {Mtom} mtom
 * @returns {Promise<string | undefined>}
 */
async function addressFor(mtom) {
  const status = await (await fetch(`${mtom.url}api/v1/status`)).json();
  return status.reach[0];
}
