/** The page as a person uses it, against the real binary and the real broker. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { startBrowser, startMtom, waitForText, withMtom } from "./world.js";

/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/** The default rule waits a second between two changes; a test need not. */
const RULE =
  'rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="1h",then=[{actuator="TEMP_LED"}]}]';

describe("the first minute", () => {
  test("an empty house says what to do, and the first reading is shown by itself", async (t) => {
    await withMtom([], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#connection", /Live/);
      const [, port] = mtom.ready.mqtt.split(":");
      await waitForText(page, "#now-line", new RegExp(`^mosquitto_pub -h 127.0.0.1 -p ${port} `));
      await waitForText(page, "#history-notice", "No more data");
      const start = performance.now();
      mtom.publish("Environ/Temperature", "23.4 °C");
      await waitForText(page, "#now-main", "23.4");
      t.diagnostic(`published to shown: ${Math.round(performance.now() - start)} ms`);
      await waitForText(page, "#now-second", "74.1 °F");
      await waitForText(page, "#now-age", /(just now|\d s ago) · reading 1$/);
      await waitForText(page, "#history-rows", /23\.4 °C/);
      assert.equal(await page.title(), "23.4 °C · mtom");
      await close();
    });
  });

  test("the ready command can be copied, and it works as it stands", async () => {
    await withMtom([], async (mtom) => {
      const { page, close } = await browser.open(mtom.url, {
        permissions: ["clipboard-read", "clipboard-write"],
      });
      await waitForText(page, "#try-line", /^mosquitto_pub/);
      await page.click("#try-copy");
      await waitForText(page, "#try-copy", "Copied");
      const line = await page.evaluate(() => navigator.clipboard.readText());
      const [, topic = "", payload = ""] = /-t (\S+) -m '(.*)'$/.exec(line) ?? [];
      mtom.publish(topic, payload);
      await waitForText(page, "#now-main", "26.5");
      await close();
    });
  });
});

describe("the LED", () => {
  test("it is shown as the device reports it", async () => {
    await withMtom([RULE], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      for (const [celsius, state] of [
        ["25.0", "on"],
        ["24.9", "off"],
        ["26.5", "on"],
      ]) {
        mtom.publish("Environ/Temperature", `${celsius} °C`);
        await waitForText(page, "[data-step=reported] .word", state ?? "");
        await waitForText(page, ".led-state", state ?? "");
        assert.equal(await page.getAttribute(".lamp", "data-led"), state);
        const says = `TEMP_LED is ${state}, as the device reports it`;
        await waitForText(page, "#led-announce", says);
      }
      await waitForText(page, ".led-facts", /The device answered .* after the decision/);
      await waitForText(page, ".led-facts", /reading \d+: Environ\/Temperature 26\.5/);
      await waitForText(page, ".led", /simulated/);
      await page.waitForSelector("#log li[data-kind=applied]");
      await close();
    });
  });

  test("a device that never answers is shown as sent", async () => {
    /** @type {string[]} */
    const heard = [];
    const device = createServer((socket) => {
      socket.on("data", (bytes) => heard.push(bytes.toString("latin1")));
      socket.on("error", () => {});
    });
    await new Promise((done) => device.listen(0, "127.0.0.1", () => done(undefined)));
    const address = device.address();
    assert.ok(address !== null && typeof address === "object");
    const link = `actuator=[{name="TEMP_LED",link="tcp:127.0.0.1:${address.port}",protocol="original"}]`;
    await withMtom([RULE, link], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      mtom.publish("Environ/Temperature", "30 °C");
      await waitForText(page, "#led-announce", "TEMP_LED is on, sent; this device never answers");
      await waitForText(page, "[data-step=reported] .word", "never");
      assert.equal(heard.join("").at(-1), "h");
      await close();
    });
    device.close();
  });

  test("a link that is away says why", async () => {
    const link = 'actuator=[{name="TEMP_LED",link="tcp:127.0.0.1:1"}]';
    await withMtom([RULE, link], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await page.waitForSelector(".led-facts [data-state=away], .led-facts [data-state=broken]");
      await waitForText(page, ".led-facts", /refused/i);
      await close();
    });
  });
});

describe("the history", () => {
  test("twenty rows at a time, until there are no more, in Chinese as in the original", async () => {
    await withMtom([], async (mtom) => {
      const payloads = Array.from(
        { length: 45 },
        (_, index) => `${(index / 10 + 20).toFixed(1)} °C`,
      );
      mtom.publish("Environ/Temperature", payloads);
      const { page, close } = await browser.open(mtom.url, { locale: "zh-CN" });
      const rows = () => page.locator("#history-rows tr").count();
      await waitForText(page, "#history-count", "20 行");
      await waitForText(page, "#history-more", "获取更多历史数据");
      assert.equal(await page.textContent("#history-notice"), "");
      await page.selectOption("#history-order", "asc");
      await page.waitForSelector("#history-rows tr:first-child[data-id='1']");
      for (const [count, notice] of [
        [40, ""],
        [45, "没有更多数据了"],
      ]) {
        await page.click("#history-more");
        await waitForText(page, "#history-count", `${count} 行`);
        assert.equal(await rows(), count);
        assert.equal(await page.textContent("#history-notice"), notice);
      }
      assert.equal(await page.isDisabled("#history-more"), true);
      const ids = await page.$$eval("#history-rows tr", (all) => all.map((row) => row.dataset.id));
      assert.deepEqual(
        ids,
        Array.from({ length: 45 }, (_, index) => String(index + 1)),
      );
      mtom.publish("Environ/Temperature", "31 °C");
      await waitForText(page, "#history-refresh", "刷新（1 条新数据）");
      await page.selectOption("#history-order", "desc");
      await page.waitForSelector("#history-rows tr:first-child[data-id='46']");
      await close();
    });
  });

  test("one series can be looked at alone", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", ["21 °C", "22 °C"]);
      mtom.publish("Environ/Humidity", "40 %");
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#history-count", "3 rows");
      await page.selectOption("#history-series", { label: "Environ / Humidity" });
      await waitForText(page, "#history-count", "1 rows");
      await page.click("#devices button:has-text('Humidity')");
      await waitForText(page, "#now-main", "40");
      await waitForText(page, "#now-unit", "%");
      await waitForText(page, "#chart-readout", /Lowest 40%/);
      await close();
    });
  });
});

describe("manners", () => {
  test("the language is the browser's, can be changed, and stays changed", async () => {
    await withMtom([], async (mtom) => {
      const { page, close } = await browser.open(mtom.url, { locale: "zh-TW" });
      await waitForText(page, "#history-title", "历史数据");
      assert.equal(await page.getAttribute("html", "lang"), "zh-Hans");
      await page.click("button[data-language=en]");
      await waitForText(page, "#history-title", "History");
      await page.reload();
      await waitForText(page, "#history-title", "History");
      assert.equal(await page.getAttribute("[data-language=en]", "aria-pressed"), "true");
      await close();
    });
  });

  test("everything can be reached and seen with the keyboard", async () => {
    await withMtom([], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#connection", /Live/);
      /** @type {Set<string>} */
      const reached = new Set();
      for (let turn = 0; turn < 100; turn += 1) {
        await page.keyboard.press("Tab");
        const found = await page.evaluate(() => {
          const focused = document.activeElement;
          if (!(focused instanceof HTMLElement) || focused === document.body) return null;
          const { outlineStyle, outlineWidth } = getComputedStyle(focused);
          const isSeen = outlineStyle !== "none" && outlineWidth !== "0px";
          return { name: focused.id || focused.dataset.language || focused.className, isSeen };
        });
        if (found === null) continue;
        assert.ok(found.isSeen, `${found.name} has no visible focus`);
        reached.add(found.name);
      }
      for (const name of ["skip", "en", "zh", "log-hop", "log-pause", "log", "history-series"]) {
        assert.ok(reached.has(name), name);
      }
      for (const name of ["history-order", "history-refresh", "try-copy"]) {
        assert.ok(reached.has(name), name);
      }
      await page.focus("#log-pause");
      await page.keyboard.press("Space");
      await waitForText(page, "#log-pause", "Resume");
      await close();
    });
  });

  test("the log can be held still, and narrowed", async () => {
    await withMtom([RULE], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      mtom.publish("Environ/Temperature", "30 °C");
      await page.waitForSelector("#log li[data-kind=applied]");
      await page.click("#log-pause");
      const held = await page.textContent("#log");
      mtom.publish("Environ/Temperature", "31 °C");
      await waitForText(page, "#log-pause", /Resume \(\d+ new\)/);
      assert.equal(await page.textContent("#log"), held);
      await page.click("#log-pause");
      await waitForText(page, "#log", /31\.0 °C/);
      await page.selectOption("#log-hop", "rules");
      const hops = await page.$$eval("#log .hop", (all) => all.map((hop) => hop.textContent));
      assert.ok(hops.length > 0 && hops.every((hop) => hop === "rules"));
      await close();
    });
  });

  test("an age grows, and turns grey when readings are missing", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", "21 °C");
      const install = (/** @type {import("playwright-core").Page} */ page) => page.clock.install();
      const { page, close } = await browser.open(mtom.url, {}, install);
      await waitForText(page, "#now-main", "21.0");
      assert.equal(await page.locator("#now.is-stale").count(), 0);
      await page.clock.fastForward(125_000);
      await waitForText(page, "#now-age", /^2 min ago: no news since/);
      assert.equal(await page.locator("#now.is-stale").count(), 1);
      await close();
    });
  });

  test("a build without the chart's library names the command, and the rest works", async () => {
    await withMtom([], async (mtom) => {
      const { page, close } = await browser.open(mtom.url, {}, async (page) => {
        await page.route("**/vendor/**", (route) => route.fulfill({ status: 404 }));
      });
      await waitForText(page, "#chart-note", /cargo xtask vendor/);
      mtom.publish("Environ/Temperature", "21 °C");
      await waitForText(page, "#now-main", "21.0");
      await close(/404/);
    });
  });
});

describe("when something is wrong", () => {
  test("the page says that the gateway is away, keeps its picture, and comes back", async () => {
    const first = await startMtom();
    const { page, close } = await browser.open(first.url);
    first.publish("Environ/Temperature", "21 °C");
    await waitForText(page, "#now-main", "21.0");
    await first.stop();
    await waitForText(page, "#connection", /Gateway away, next try in \d+ s/);
    assert.equal(await page.textContent("#now-main"), "21.0");
    const again = await startMtom([`dashboard.listen=${first.ready.dashboard}`], first.folder);
    await waitForText(page, "#connection", /Live/);
    again.publish("Environ/Temperature", "22 °C");
    await waitForText(page, "#now-main", "22.0");
    // The browser itself reports each refused try, and what a gateway that is ending did not answer.
    await close(/ERR_CONNECTION_REFUSED|WebSocket|503|fetching the script/);
    await again.remove();
  });

  test("rejects are counted and each has its reason, in the page's language", async () => {
    await withMtom([], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "[data-count=rejected] dd", "0");
      mtom.publish("Environ/Temperature", "23,4 °C");
      mtom.publish("Environ/Temperature", "-127 °C");
      await waitForText(page, "[data-count=rejected] dd", "2");
      await waitForText(page, "[data-code=decimal_comma] strong", /decimal comma/);
      await page.click("button[data-language=zh]");
      await waitForText(page, "[data-code=sensor_lost] strong", /断线/);
      await page.waitForSelector("#log li.is-bad");
      await close();
    });
  });

  /** A socket that never opens. @param {import("playwright-core").Page} page */
  const withoutSocket = async (page) => {
    await page.addInitScript(() => {
      Reflect.set(globalThis, "WebSocket", class extends EventTarget {});
    });
  };

  test("the first readings do not wait for the live socket", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", "23.4 °C");
      const { page, close } = await browser.open(mtom.url, {}, async (page) => {
        await withoutSocket(page);
        await page.addInitScript(() => localStorage.setItem("mtom.language", "zh"));
      });
      await waitForText(page, "#devices .value", /23\.4 °C/);
      await waitForText(page, "#connection", /正在连接/);
      // Nothing is said to be wrong, and nothing has no words.
      assert.equal(await page.isVisible("#path-troubles"), false);
      await waitForText(page, "#footer-zone", /\S/);
      await waitForText(page, "#devices .when", /刚刚|前/);
      await close();
    });
  });

  test("readings of this moment stay where no live socket can be had, and say so", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", "23.4 °C");
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#devices .value", /23\.4 °C/);
      // It keeps what it has seen, for a page that finds nobody.
      await page.goto("about:blank");
      mtom.publish("Environ/Temperature", "23.5 °C");
      await page.addInitScript(() => {
        class Refused extends EventTarget {
          /** @type {() => void} */
          onclose = () => {};
          constructor() {
            super();
            Reflect.set(globalThis, "refuse", () => this.onclose());
          }
        }
        Reflect.set(globalThis, "WebSocket", Refused);
      });
      await page.goto(mtom.url);
      await waitForText(page, "#devices .value", /23\.5 °C/);
      await page.evaluate(() => Reflect.get(globalThis, "refuse")());
      await waitForText(page, "#away", /\d/);
      await waitForText(page, "#history-rows", /23\.5 °C/);
      await waitForText(page, "#devices .value", /23\.5 °C/);
      // The other way round: refused first, when the page shows what it has kept.
      await page.goto("about:blank");
      mtom.publish("Environ/Temperature", "23.6 °C");
      /** @type {() => void} */
      let answer = () => {};
      const asked = new Promise((done) => {
        answer = () => done(undefined);
      });
      await page.route("**/api/v1/snapshot", async (route) => {
        await asked;
        await route.continue();
      });
      await page.goto(mtom.url, { waitUntil: "commit" });
      await page.waitForFunction(() => Reflect.has(globalThis, "refuse"));
      await page.evaluate(() => Reflect.get(globalThis, "refuse")());
      await waitForText(page, "#devices .value", /23\.4 °C/);
      answer();
      await waitForText(page, "#devices .value", /23\.6 °C/);
      await close();
    });
  });

  test("what is further down comes even where the gateway says nothing", async () => {
    await withMtom([], async (mtom) => {
      mtom.publish("Environ/Temperature", "23.4 °C");
      const { page, close } = await browser.open(mtom.url, {}, async (page) => {
        await withoutSocket(page);
        const broken = { status: 200, body: "…" };
        await page.route("**/api/v1/snapshot", (route) => route.fulfill(broken));
      });
      await waitForText(page, "#history-rows", /23\.4 °C/);
      assert.equal(await page.isVisible("#devices .value"), false);
      await close();
    });
  });

  test("an open gateway warns", async () => {
    await withMtom(["security.insecure=true"], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#insecure", /Open to everybody.*nothing asks for a password/s);
      assert.equal(await page.isVisible("#insecure"), true);
      await close();
    });
    await withMtom([], async (mtom) => {
      const { page, close } = await browser.open(mtom.url);
      await waitForText(page, "#connection", /Live/);
      await waitForText(page, "#footer-version", /^mtom \d/);
      assert.equal(await page.isVisible("#insecure"), false);
      await close();
    });
  });
});

describe("texts that are made to harm", () => {
  const HARM = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "'\"><svg onload=alert(3)>",
    "javascript:alert(4)",
    "{{constructor.constructor('alert(5)')()}}",
    "\u202egnp.exe",
    "厨房".repeat(20),
  ];

  test("should a text ever become a script, the browser refuses it", async () => {
    await withMtom([], async (mtom) => {
      const { page, seen, close } = await browser.open(mtom.url);
      await waitForText(page, "#connection", /Live/);
      const refused = await page.evaluate(async () => {
        const tries = [
          () => {
            document.body.innerHTML = "<b>x</b>";
          },
          () => {
            document.createElement("script").text = "alert(1)";
          },
          () => fetch("http://127.0.0.1:9/"),
          () => new WebSocket("ws://127.0.0.1:9/"),
        ];
        const found = [];
        for (const attempt of tries) {
          try {
            await attempt();
            found.push("allowed");
          } catch {
            found.push("refused");
          }
        }
        return found;
      });
      assert.deepEqual(refused.slice(0, 3), ["refused", "refused", "refused"]);
      const policy = seen.errors.splice(0).join(" ");
      assert.match(policy, /Trusted/);
      assert.match(policy, /connect-src/);
      seen.foreign.splice(0);
      await close();
    });
  });

  for (const width of [1440, 360]) {
    test(`they are shown as texts, and move nothing out of its place, at ${width} px`, async () => {
      await withMtom([], async (mtom) => {
        for (const harm of HARM) {
          mtom.publish(`Environ/${harm.replaceAll(/[+#]/g, "")}/T`, "21 °C");
          mtom.publish("Environ/Temperature", harm);
          mtom.publish("Environ/json", JSON.stringify({ [harm]: 5, device: harm }));
        }
        mtom.publish("Environ/Temperature", "22 °C");
        for (const locale of ["en-US", "zh-CN"]) {
          const size = { viewport: { width, height: 800 }, locale };
          const { page, close } = await browser.open(mtom.url, size);
          await waitForText(page, "#now-main", /^\d/);
          await waitForText(page, "#rejects", /<script>alert\(2\)<\/script>/);
          await waitForText(page, "#devices", /<img src=x onerror=alert\(1\)>/);
          assert.equal(await page.locator("main img, main svg:not(.own), main script").count(), 0);
          assert.equal(
            await page.evaluate(() => document.body.textContent?.includes("\u202e")),
            false,
          );
          const [scrolls, shown] = await page.evaluate(() => [
            document.documentElement.scrollWidth,
            document.documentElement.clientWidth,
          ]);
          assert.equal(scrolls, shown, `no horizontal scroll in ${locale}`);
          await close();
        }
      });
    });
  }
});
