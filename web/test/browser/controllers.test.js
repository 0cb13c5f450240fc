/** The controllers of a gateway that drives nothing itself, against the real binary. */

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  claimActuators,
  nameOf,
  startBrowser,
  startController,
  startMtom,
  waitForText,
} from "./world.js";

/** As many as a gateway takes. */
const CONTROLLERS = 256;
/** Pixels of the page that the list of them may be high. */
const HEIGHT_MAX = 500;
const PRESSES_MAX = 20;

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/** `mtom gateway`, which drives nothing itself. */
const startGateway = () => startMtom([], mkdtempSync(join(tmpdir(), "mtom-page-")), "gateway");

test("a gateway without actuators shows who drives them, and who is away", async () => {
  const mtom = await startGateway();
  const { page, close } = await browser.open(mtom.url);
  await page.waitForSelector("#leds-none:not([hidden])");
  assert.equal(await page.isVisible("#controllers"), false);
  const sets = ["simulate.actuators=0", 'actuator=[{name="TEMP_LED",link="tcp:127.0.0.1:1"}]'];
  const controller = await startController(`tcp://${mtom.ready.tcp}`, "pc2", sets);
  const row = ".controller[data-name=pc2]";
  await waitForText(page, `${row} strong`, "pc2");
  await waitForText(page, `${row} code`, "127.0.0.1");
  await waitForText(page, `${row} .controller-drives`, "Actuators: TEMP_LED");
  await waitForText(page, `${row} [data-state=up]`, /^connected since \d\d:\d\d:\d\d$/);
  await waitForText(page, "#controllers-tally", "1 connected");
  assert.equal(await page.isVisible("#leds-none"), false);

  // Which controllers there were in the past is not kept.
  await page.click("#player-open");
  await page.waitForSelector("#controllers", { state: "hidden" });
  assert.equal(await page.isVisible("#leds-none"), false);
  await page.click("#player-close");
  await page.waitForSelector(row);

  await controller.kill();
  const away = `${row} [data-state=away]`;
  await page.waitForSelector(away);
  await waitForText(page, away, /^away since \d\d:\d\d:\d\d · keeps its actuators for a minute$/);
  await waitForText(page, "#controllers-tally", "1 away");
  await page.click("button[data-language=zh]");
  await waitForText(page, "#controllers-title", "由控制器驱动");
  await waitForText(page, away, /^未连接 自 \d\d:\d\d:\d\d · 执行器为它保留一分钟$/);
  await waitForText(page, `${row} .controller-drives`, "执行器：TEMP_LED");
  await close();
  await mtom.remove();
});

test("as many as there may be, with names as long as they may be, keep their place", async () => {
  const mtom = await startGateway();
  const names = Array.from({ length: CONTROLLERS }, (_, index) =>
    nameOf(`${String(index).padStart(3, "0")}${"控制器".repeat(30)}`),
  );
  const controllers = await claimActuators(mtom.ready.tcp, names);
  for (const width of [1440, 360]) {
    const { page, close } = await browser.open(mtom.url, { viewport: { width, height: 740 } });
    await page.waitForSelector(`.controller:nth-child(${CONTROLLERS})`);
    await waitForText(page, ".controller:first-child strong", names[0] ?? "");
    await waitForText(page, "#controllers-tally", `${CONTROLLERS} connected`);
    const widths = await page.evaluate(() =>
      ["html", "#controllers-list"].map((place) => {
        const { scrollWidth = 0, clientWidth = 0 } = document.querySelector(place) ?? {};
        return scrollWidth - clientWidth;
      }),
    );
    assert.deepEqual(widths, [0, 0], "no horizontal scroll");
    const box = await page.locator("#controllers-list").boundingBox();
    assert.ok((box?.height ?? Number.POSITIVE_INFINITY) <= HEIGHT_MAX, JSON.stringify(box));

    // With the keyboard to the last one, and there it stays while the list is asked for again.
    await page.focus("#controllers-list");
    const isLastSeen = () => {
      const list = document.getElementById("controllers-list");
      const row = list?.lastElementChild?.getBoundingClientRect();
      return (row?.top ?? 0) < (list?.getBoundingClientRect().bottom ?? 0);
    };
    // How high a row is, is known when it has been seen: the end may be further away than it was taken for.
    for (let press = 0; press < PRESSES_MAX && !(await page.evaluate(isLastSeen)); press += 1) {
      await page.keyboard.press("End");
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
    }
    assert.ok(await page.evaluate(isLastSeen));
    const last = await page.$(".controller:last-child");
    await page.waitForResponse(/\/controllers$/);
    await page.waitForResponse(/\/controllers$/);
    assert.ok(await last?.evaluate((row) => row.isConnected), "the rows are the same");
    assert.ok(await page.evaluate(isLastSeen), "and where it is scrolled to");
    await close();
  }
  controllers.kill();
  await mtom.remove();
});
