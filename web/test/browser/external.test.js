/** The overview where the broker is another one: a real mosquitto, and what it can tell of devices. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBrowser, startMtom, startSensor, waitForText } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

const PROGRAMS = [
  "/usr/sbin/mosquitto",
  "/usr/local/sbin/mosquitto",
  "/opt/homebrew/sbin/mosquitto",
];

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/** A port that was free just now. @returns {Promise<number>} */
function freePort() {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      assert.ok(address !== null && typeof address === "object");
      server.close(() => done(address.port));
    });
  });
}

/** A mosquitto that keeps nothing. */
async function startMosquitto() {
  const program = PROGRAMS.find((path) => existsSync(path)) ?? "mosquitto";
  const folder = mkdtempSync(join(tmpdir(), "mtom-mosquitto-"));
  const port = await freePort();
  const config = join(folder, "mosquitto.conf");
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\n`);
  const process_ = spawn(program, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  const leave = () => {
    process_.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", leave);
  const ended = new Promise((done) => process_.once("exit", done));
  await new Promise((done, fail) => {
    let said = "";
    process_.stderr.on("data", (bytes) => {
      said += bytes;
      if (said.includes("running")) done(undefined);
    });
    void ended.then((code) => fail(new Error(`mosquitto ended with ${code}: ${said}`)));
  });
  return {
    address: `127.0.0.1:${port}`,
    async stop() {
      process_.kill("SIGTERM");
      await ended;
      leave();
      process.off("exit", leave);
    },
  };
}

/** @param {string} device */
const card = (device) => `.device[data-device='${device}']`;

test("with another broker a device that has gone is offline, by its last will or its silence", async () => {
  const mosquitto = await startMosquitto();
  const url = `broker.url=mqtt://${mosquitto.address}`;
  const sensor = () =>
    startSensor(mosquitto.address, ["--id", "hall", "--topic", "Environ/hall/Temperature"]);
  const first = sensor();
  const mtom = await startMtom([url]);
  const { page, close } = await browser.open(mtom.url);
  await page.waitForSelector(`${card("Environ/hall")}[data-state=fresh]`);
  // One that says nothing about itself: what is known of it are its readings.
  const now = Date.now();
  const past = Array.from({ length: 8 }, (_, index) => {
    const time = new Date(now - 60_000 + index * 2_000).toISOString();
    return JSON.stringify({ temperature: 20 + index, time });
  });
  const [host = "", port = ""] = mosquitto.address.split(":");
  const line = ["-h", host, "-p", port, "-q", "1", "-t", "Environ/mute/Temperature", "-l"];
  const mute = spawn("mosquitto_pub", line, { stdio: ["pipe", "ignore", "ignore"] });
  mute.stdin.end(`${past.join("\n")}\n`);
  await page.waitForSelector(`${card("Environ/mute")}[data-state=stale]`);
  await waitForText(page, `${card("Environ/mute")} .said`, "silent: three readings missed");
  // Its power goes: mosquitto tells its last will.
  await first.kill();
  await page.waitForSelector(`${card("Environ/hall")}[data-state=offline]`);
  await waitForText(page, `${card("Environ/hall")} .said`, /^offline since \d\d:\d\d:\d\d$/);
  await waitForText(page, "#overview-summary", /^\d of 2 devices are heard$/);
  await close();
  await mtom.stop();
  // A gateway that starts later knows that it is gone, and not since when.
  const again = await startMtom([url], mtom.folder);
  const later = await browser.open(again.url);
  await waitForText(
    later.page,
    `${card("Environ/hall")} .said`,
    /^offline, since \d\d:\d\d:\d\d or longer$/,
  );
  const second = sensor();
  await later.page.waitForSelector(`${card("Environ/hall")}[data-state=fresh]`);
  await second.kill();
  await later.close();
  await again.remove();
  await mosquitto.stop();
});
