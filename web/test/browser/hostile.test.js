/**
 * Every text that a device can set, in every view: a hundred of them try to be executed and none is; and
 * every view, full of them, keeps the rules for those who cannot see or use a mouse (axe-core).
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { PAYLOADS } from "./payloads.js";
import { claimActuators, startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./world.js").Mtom} Mtom */

const AXE = readFileSync(
  new URL("../../node_modules/axe-core/axe.min.js", import.meta.url),
  "utf8",
);
/** Of the Web Content Accessibility Guidelines, and what axe calls best practice. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
/** @type {Mtom} */
let mtom;
/** @type {import("node:net").Server} */
let device;
/** @type {Awaited<ReturnType<typeof claimActuators>>} */
let controllers;

before(async () => {
  browser = await startBrowser();
  // A device that answers with the payloads: in its name, and in its words.
  device = createServer((socket) => {
    socket.on("error", () => {});
    for (const payload of PAYLOADS) socket.write(`hello ${payload} ${payload}\nerr ${payload}\n`);
  });
  await new Promise((done) => device.listen(0, "127.0.0.1", () => done(undefined)));
  const address = device.address();
  assert.ok(address !== null && typeof address === "object");
  const [payload] = PAYLOADS;
  const actuators = [
    `{name='${payload}',link="tcp:127.0.0.1:${address.port}"}`,
    `{name="TEMP_LED",link="tcp:127.0.0.1:1"}`,
  ];
  const rule = `{name='${payload}',when="#",on="value >= 25.0",dwell="0s",max_age="1h",then=[{actuator='${payload}'}]}`;
  mtom = await startMtom([`actuator=[${actuators.join(",")}]`, `rule=[${rule}]`]);
  flood(mtom);
  controllers = await claimActuators(mtom.ready.tcp, PAYLOADS);
});
after(async () => {
  await browser.close();
  controllers.kill();
  await mtom.remove();
  device.close();
});

/**
 * Device names, quantities, topics, units, values and what makes errors.
 * @param {Mtom} house
 */
function flood(house) {
  house.publish(
    "Environ/json",
    PAYLOADS.map((payload) => JSON.stringify({ device: payload, [payload]: 30 })),
  );
  house.publish(
    "Environ/Temperature",
    PAYLOADS.map((payload) => payload.replaceAll("\n", " ")),
  );
  house.publish(
    "Environ/Temperature",
    PAYLOADS.map((payload) => `23.4 ${payload}`),
  );
  house.publish(
    "Environ/json2",
    PAYLOADS.map((payload) =>
      JSON.stringify({ temperature: payload, unit: payload, time: payload }),
    ),
  );
  for (const payload of PAYLOADS.slice(0, 20)) {
    house.publish(`Environ/${payload.replaceAll(/[+#]/g, "")}/T`, "21 °C");
  }
  house.publish("Environ/Temperature", "26 °C");
}

/** Each with the place that axe looks at: the whole page once, and then what a view adds.
 * @type {[string, string, (page: Page) => Promise<void>][]} */
const VIEWS = [
  ["the page", "html", async () => {}],
  [
    "the chart of several series",
    ".chart",
    async (page) => {
      for (const index of [1, 2, 3, 4, 5]) await page.selectOption("#chart-add", { index });
      await page.waitForSelector("#chart-legend li:nth-child(6)");
      await page.focus("#chart");
      await page.keyboard.press("Shift+ArrowLeft");
    },
  ],
  [
    "the history of one device",
    ".history",
    async (page) => {
      await page.selectOption("#history-device", { index: 3 });
      await waitForText(page, "#history-count", /^[1-9]/);
    },
  ],
  [
    "the replay",
    "#player",
    async (page) => {
      await page.click("#player-open");
      await page.waitForSelector("#player:not([hidden])");
      await page.click("#player-stretch summary");
      await page.selectOption("#player-speed", "600");
      await page.click("#player-play");
      await waitForText(page, "#player-play", /Play|播放/);
    },
  ],
  [
    "why",
    "#why",
    async (page) => {
      await page.click(".led-why >> nth=0");
      await page.waitForSelector("#why[open] #why-steps li");
    },
  ],
  [
    "the rules",
    "#edit",
    async (page) => {
      await page.click("#rules-edit");
      await page.waitForSelector("#edit[open]");
      await page.fill("#edit-text", `[[rule]]\nname = '${PAYLOADS[3]}'\non = "${PAYLOADS[0]}"\n`);
      await page.waitForSelector(".mistake");
    },
  ],
];

/**
 * Opens the page full of what devices have sent.
 * @param {import("playwright-core").BrowserContextOptions} options
 */
async function open(options) {
  const opened = await browser.open(mtom.url, options, async (page) => {
    await page.addInitScript(() => Object.assign(globalThis, { pwned: () => alert("pwned") }));
  });
  const { page } = opened;
  await page.waitForSelector("#connection[data-state=open]");
  await page.waitForSelector("#history-rows tr:nth-child(20)");
  await page.waitForSelector("#rejects li:nth-child(20)");
  await page.waitForSelector(".controller:nth-child(100)");
  return opened;
}

/**
 * @param {Page} page
 * @param {string} [place]
 */
async function violations(page, place = "html") {
  await page.evaluate(AXE);
  return page.evaluate(
    async ({ tags, place }) => {
      const axe = Reflect.get(globalThis, "axe");
      const found = await axe.run(place, { runOnly: { type: "tag", values: tags } });
      return found.violations.map(
        (/** @type {{id: string, nodes: {target: string[], failureSummary: string}[]}} */ rule) =>
          `${rule.id}: ${rule.nodes
            .slice(0, 3)
            .map(({ target, failureSummary }) => `${target} ${failureSummary}`)
            .join(" | ")}`,
      );
    },
    { tags: TAGS, place },
  );
}

/** @param {Page} page */
function intruders(page) {
  return page.evaluate(
    () =>
      [...document.querySelectorAll("script:not([src]), iframe, video, math, base, object, embed")]
        .length + document.querySelectorAll("[onerror], [onload], [onfocus], [ontoggle]").length,
  );
}

describe("views full of hostile texts", () => {
  test("there are a hundred of them, and no two are the same", () => {
    assert.equal(new Set(PAYLOADS).size, 100);
  });

  for (const options of [
    { locale: "en-US", viewport: { width: 1440, height: 900 } },
    {
      locale: "zh-CN",
      viewport: { width: 360, height: 740 },
      colorScheme: /** @type {const} */ ("dark"),
    },
  ]) {
    for (const [name, place, show] of VIEWS) {
      test(`${name}, ${options.locale}: nothing is executed, axe finds nothing`, async () => {
        const { page, close } = await open(options);
        await show(page);
        assert.equal(await intruders(page), 0);
        assert.deepEqual(await violations(page, place), []);
        const [scrolls, width] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          document.documentElement.clientWidth,
        ]);
        assert.equal(scrolls, width, "no horizontal scroll");
        // The browser itself reports that rules were refused.
        await close(/422/);
      });
    }
  }

  test("the page of the API: axe finds nothing", async () => {
    const { page, close } = await browser.open(`${mtom.url}api/v1/`);
    await page.waitForSelector("article");
    assert.deepEqual(await violations(page), []);
    await close();
  });
});
