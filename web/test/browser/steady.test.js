/** A page that is kept open does not grow, however much passes; and a page that does is caught. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { reading, snapshot } from "../fixtures.js";
import { grown, held, plant } from "../load/steady.js";
import { startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {import("../load/steady.js").Leak} Leak */
/** @typedef {import("../../wire.d.ts").Reading} Reading */

const DEVICES = 40;
const ROUNDS = 9;
/** Until what is bounded is full. */
const WARM_ROUNDS = 3;
const READINGS = 2_000;

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
/** @type {import("./world.js").Mtom} */
let mtom;
before(async () => {
  browser = await startBrowser();
  mtom = await startMtom();
});
after(async () => {
  await browser.close();
  await mtom.remove();
});

/**
 * In the page, before its own scripts: a socket that says what it begins with, and what `mtomSay` is given.
 * @param {unknown} begin
 */
function ownSocket(begin) {
  const own = class extends EventTarget {
    /** @type {((event: MessageEvent) => void) | null} */
    onmessage = null;
    /** @type {(() => void) | null} */
    onclose = null;
    constructor() {
      super();
      const say = (/** @type {unknown} */ frame) => {
        const event = new MessageEvent("message", { data: JSON.stringify(frame) });
        this.dispatchEvent(event);
        this.onmessage?.(event);
      };
      Reflect.set(globalThis, "mtomSay", say);
      // Not before its maker listens.
      setTimeout(() => say(begin));
    }
  };
  Reflect.set(globalThis, "WebSocket", own);
}

/**
 * In the page: many readings and lines of the log, as they come.
 * @param {{round: number, readings: number, latest: Reading[]}} asked
 */
function pass({ round, readings, latest }) {
  const say = Reflect.get(globalThis, "mtomSay");
  for (let index = 0; index < readings; index += 1) {
    const id = round * readings + index + 1;
    const at_micros = Date.now() * 1_000;
    const { device, ...rest } = latest[index % latest.length] ?? { device: "" };
    const value = round;
    say({ type: "reading", reading: { ...rest, device, id, at_micros, value, celsius: value } });
    const event = { kind: "skipped", count: id };
    const entry = { id, at: "", at_micros, hop: "gateway", text: "", event };
    if (index % 10 === 0) say({ type: "log", entry });
  }
}

/** @param {Leak | null} leak */
async function samples(leak) {
  const { page, close } = await browser.open(mtom.url, {}, async (page) => {
    await page.addInitScript(ownSocket, snapshot({ now_micros: Date.now() * 1_000 }));
    if (leak !== null) await plant(page, leak);
  });
  const now = Date.now() * 1_000;
  const latest = Array.from({ length: DEVICES }, (_, index) =>
    reading({ id: index, device: `d${index + 10}`, at_micros: now, celsius: 0, value: 0 }),
  );
  await page.evaluate(
    (frame) => Reflect.get(globalThis, "mtomSay")(frame),
    snapshot({ readings: latest, now_micros: now }),
  );
  const client = await page.context().newCDPSession(page);
  const found = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    await page.evaluate(pass, { round, readings: READINGS, latest });
    await waitForText(page, ".device[data-device=d10] .value", `${round}.0 °C`);
    found.push(await held(client));
  }
  await close();
  return found.slice(WARM_ROUNDS);
}

test("the page keeps its size", async () => {
  assert.deepEqual(grown(await samples(null)), []);
});

for (const leak of /** @type {const} */ (["heap", "nodes", "listeners"])) {
  test(`a page that keeps ${leak} is caught`, async () => {
    const found = grown(await samples(leak));
    assert.match(found.join(), new RegExp(`${leak}: `));
  });
}
