/** Times as a person elsewhere reads them, or with a clock that is wrong. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startMtom>>} Mtom */
/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

const CARD = ".device[data-device=Environ]";

/** @type {Browser} */
let browser;
/** @type {Mtom} */
let mtom;
before(async () => {
  browser = await startBrowser();
  const own = process.env.TZ;
  process.env.TZ = "Asia/Kathmandu";
  mtom = await startMtom();
  if (own === undefined) delete process.env.TZ;
  else process.env.TZ = own;
});
after(async () => {
  await browser.close();
  await mtom.remove();
});

test("times are in the person's zone, which is named, and the gateway's stands beside it", async () => {
  const time = new Date(Date.now() - 60_000).toISOString();
  mtom.publish("Environ/Temperature", JSON.stringify({ temperature: 21, time }));
  for (const [timezoneId, offsetMinutes] of /** @type {const} */ ([
    ["America/Caracas", -240],
    ["Asia/Tokyo", 540],
  ])) {
    const { page, close } = await browser.open(mtom.url, { timezoneId });
    await waitForText(page, "#footer-zone", `Times in your zone, ${timezoneId}`);
    const shown = new Date(Date.parse(time) + offsetMinutes * 60_000).toISOString();
    await waitForText(page, "#history-rows", new RegExp(shown.slice(11, 19)));
    await waitForText(page, "#footer-gateway", /\(Asia\/Kathmandu, UTC\+5:45\)$/);
    assert.equal(await page.isVisible("#clock"), false);
    await close();
  }
  const { page, close } = await browser.open(mtom.url, { timezoneId: "Asia/Kathmandu" });
  await waitForText(page, "#footer-version", /^mtom/);
  assert.equal(await page.isVisible("#footer-gateway"), false);
  await close();
});

/**
 * In the page: its clock is that much ahead. Only what it tells is; time goes on as ever.
 * @param {number} millis
 */
function moveClock(millis) {
  const now = Date.now.bind(Date);
  globalThis.Date = /** @type {DateConstructor} */ (
    new Proxy(Date, {
      construct: (its, args) => Reflect.construct(its, args.length === 0 ? [now() + millis] : args),
      get: (its, key) => (key === "now" ? () => now() + millis : Reflect.get(its, key)),
    })
  );
}

for (const [word, span, movedMillis] of /** @type {const} */ ([
  ["ahead of", "1 h 0 min", 3_600_000],
  ["behind", "10 min", -600_000],
])) {
  test(`a clock that is ${word} the gateway's is told, and makes nobody old`, async () => {
    const { page, close } = await browser.open(mtom.url, {}, async (page) => {
      await page.addInitScript(moveClock, movedMillis);
    });
    await waitForText(page, "#clock", new RegExp(`^The clock of this device is .* ${word} the`));
    const said = (await page.textContent("#clock")) ?? "";
    // A second passed between the two clocks.
    assert.match(said, new RegExp(`is (${span}|59 min|9 min) ${word}`));
    assert.equal(await page.isVisible("#footer-gateway"), true);
    mtom.publish("Environ/Temperature", "22 °C");
    await waitForText(page, `${CARD} .value`, "22.0 °C");
    await waitForText(page, `${CARD} .when`, /^(just now|[0-9] s ago)$/);
    await page.waitForSelector(`${CARD}[data-state=fresh]`);
    await page.waitForSelector("#now:not(.is-stale)");
    // The chart goes up to the gateway's present, not to that of the clock here.
    await waitForText(page, "#chart-readout", /22\.0 °C/);
    await close();
  });
}
