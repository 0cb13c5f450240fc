/**
 * Keeps the page open in front of a thousand devices that send a thousand readings in each second, and fails when
 * it grows: its heap, its nodes or its listeners.
 *
 *     node test/load/soak.js --minutes 30
 *
 * `--plant heap`, `nodes` or `listeners` makes it grow, and then it must fail.
 */

import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { startBrowser } from "../browser/world.js";
import { lost, startFleet, waitForCards } from "./fleet.js";
import { grown, held, plant } from "./steady.js";

const DEVICES = 1_000;
/** Less than that was not delivered. */
const RATE_MIN = 0.9 * DEVICES;
/** The shortest span of the chart is full after that. */
const WARM_MINUTES = 2.5;
const SAMPLES = 24;
const LEAKS = /** @type {const} */ (["heap", "nodes", "listeners"]);

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "30" }, plant: { type: "string" } },
});
const minutes = Number(values.minutes);
assert.ok(minutes > 0, "--minutes takes a number");
const leak = LEAKS.find((name) => name === values.plant);
assert.ok(values.plant === undefined || leak !== undefined, `--plant takes ${LEAKS.join(", ")}`);

const fleet = await startFleet(DEVICES);
const browser = await startBrowser();
const { page, close } = await browser.open(fleet.mtom.url, {}, async (page) => {
  if (leak !== undefined) await plant(page, leak);
});
await waitForCards(page, DEVICES);
// The first span: the shortest.
await page.click("#chart-windows button");
const client = await page.context().newCDPSession(page);
const warm = Math.min(WARM_MINUTES, minutes / 4);
await page.waitForTimeout(warm * 60_000);
const [before, start] = [await fleet.stored(), performance.now()];
/** @type {import("./steady.js").Held[]} */
const samples = [];
for (let turn = 0; turn < SAMPLES; turn += 1) {
  await page.waitForTimeout(((minutes - warm) * 60_000) / SAMPLES);
  const sample = await held(client);
  samples.push(sample);
  const megabytes = (sample.heap / 1e6).toFixed(1);
  process.stdout.write(
    `${((performance.now() - start) / 60_000).toFixed(1).padStart(5)} min  ${megabytes} MB  ` +
      `${sample.nodes} nodes  ${sample.listeners} listeners\n`,
  );
}
const rate = ((await fleet.stored()) - before) / ((performance.now() - start) / 1_000);
const missed = await lost(page);
await close();
await browser.close();
await fleet.stop();
process.stdout.write(`${Math.round(rate)} readings/s, ${missed} updates lost\n`);
assert.ok(rate >= RATE_MIN, `only ${Math.round(rate)} readings/s of ${DEVICES} were stored`);
const found = grown(samples);
for (const line of found) process.stdout.write(`GROWN  ${line}\n`);
if (found.length === 0) process.stdout.write("steady\n");
process.exitCode = found.length === 0 ? 0 : 1;
