/** The page installed, and while the gateway is away, as a person meets them. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NEW, startBuild } from "./build.js";
import { LIMIT_MILLIS, startBrowser, startMtom, waitForText } from "./world.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */

const CARD = ".device[data-device=Environ]";

/** @type {Browser} */
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/**
 * Waits until the browser has kept the whole page.
 * @param {Page} page
 */
async function kept(page) {
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
}

/**
 * Waits until the files of one tree are kept, and no others.
 * @param {Page} page
 * @param {string} name
 */
async function keptOnly(page, name) {
  await page.evaluate(
    ({ name, limit }) =>
      new Promise((done, fail) => {
        const look = async () => {
          if ((await caches.keys()).join(" ") === name) done(undefined);
        };
        // Once it is activated, the one that answers from now on has put the others out.
        navigator.serviceWorker.addEventListener("controllerchange", () => {
          navigator.serviceWorker.controller?.addEventListener("statechange", () => void look());
          void look();
        });
        setTimeout(() => fail(new Error(`${name} was never kept alone`)), limit);
        void look();
      }),
    { name, limit: LIMIT_MILLIS },
  );
}

/** What the browser itself reports of a gateway that does not answer is nobody's fault. */
const AWAY = /ERR_CONNECTION_REFUSED|ERR_FAILED|WebSocket/;

test("the page can be installed", async () => {
  const mtom = await startMtom();
  const { page, close } = await browser.open(mtom.url);
  await waitForText(page, "#connection", /Live/);
  await kept(page);
  const devtools = await page.context().newCDPSession(page);
  const { url, data, errors } = await devtools.send("Page.getAppManifest");
  assert.match(url, /\/a\/[0-9a-f]{16}\/manifest\.webmanifest$/);
  assert.deepEqual(errors, []);
  const manifest = JSON.parse(data ?? "");
  assert.equal(manifest.start_url, "/");
  for (const { src, type } of manifest.icons) {
    const icon = await fetch(new URL(src, url));
    assert.equal(icon.headers.get("content-type"), type);
  }
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  // A window of an automated browser is a private one; nothing else stands in the way.
  const wrong = installabilityErrors.map(({ errorId }) => errorId);
  assert.deepEqual(
    wrong.filter((id) => id !== "in-incognito"),
    [],
  );
  await close();
  await mtom.remove();
});

test("while the gateway is away the page opens with its last picture, and comes back", async () => {
  const mtom = await startMtom();
  mtom.publish("Environ/Temperature", "30.5 °C");
  const { page, close } = await browser.open(mtom.url);
  await waitForText(page, `${CARD} .value`, "30.5 °C");
  await page.waitForSelector(".lamp[data-led=on][data-sure=true]");
  await waitForText(page, "#history-rows", /30\.5 °C/);
  await kept(page);
  assert.equal(await page.isVisible("#away"), false);
  await mtom.stop();
  await waitForText(page, "#away", /does not answer; trying again\. This is its last picture, of /);
  await page.reload();
  await waitForText(page, "#away", /This is its last picture, of \d\d:\d\d:\d\d, \d+ s ago\.$/);
  await waitForText(page, `${CARD} .value`, "30.5 °C");
  await waitForText(page, "#connection", /Gateway away, next try in \d+ s|Connecting…/);
  await page.waitForSelector(".lamp[data-led=on]");
  // What the gateway says is never kept: who asks for it is not answered.
  const answered = await page.evaluate(() =>
    fetch("/api/v1/latest").then(
      () => true,
      () => false,
    ),
  );
  assert.equal(answered, false);
  const names = await page.evaluate(async () => {
    const all = await caches.keys();
    const requests = await Promise.all(all.map(async (name) => (await caches.open(name)).keys()));
    return requests.flat().map(({ url }) => new URL(url).pathname);
  });
  for (const name of ["/index.html", "/app.js", "/page.css", "/parts/below.js"])
    assert.ok(
      names.some((kept) => kept.endsWith(name)),
      `${names}`,
    );
  assert.deepEqual(
    names.filter((name) => !name.startsWith("/a/")),
    [],
  );
  const again = await startMtom([`dashboard.listen=${mtom.ready.dashboard}`], mtom.folder);
  await waitForText(page, "#connection", /Live/);
  assert.equal(await page.isVisible("#away"), false);
  again.publish("Environ/Temperature", "21.5 °C");
  await waitForText(page, `${CARD} .value`, "21.5 °C");
  await waitForText(page, "#history-rows", /30\.5 °C/);
  await close(AWAY);
  await again.remove();
});

test("over plain http from another computer the page works without, and says nothing of it", async () => {
  const mtom = await startMtom();
  const { page, seen, close } = await browser.open(mtom.url, {}, async (page) => {
    // There browsers have no service workers at all.
    await page.addInitScript(() => {
      Reflect.deleteProperty(Navigator.prototype, "serviceWorker");
    });
  });
  await waitForText(page, "#connection", /Live/);
  assert.equal(await page.evaluate(() => "serviceWorker" in navigator), false);
  mtom.publish("Environ/Temperature", "21 °C");
  await waitForText(page, `${CARD} .value`, "21.0 °C");
  assert.deepEqual(seen.errors, []);
  await mtom.remove();
  await waitForText(page, "#away", /This is its last picture/);
  await waitForText(page, `${CARD} .value`, "21.0 °C");
  await close(AWAY);
});

test("another build's files take the place of the old ones, and are never mixed with them", async () => {
  const mtom = await startMtom();
  mtom.publish("Environ/Temperature", "21 °C");
  const build = await startBuild(mtom);
  const { page, close } = await browser.open(build.url);
  await waitForText(page, `${CARD} .value`, "21.0 °C");
  await kept(page);
  build.renew();
  await page.waitForSelector(`script[src="/a/${NEW}/app.js"]`, { state: "attached" });
  await waitForText(page, `${CARD} .value`, "21.0 °C");
  await keptOnly(page, `mtom-${NEW}`);
  await build.stop();
  await waitForText(page, "#away", /This is its last picture/);
  await page.reload();
  await waitForText(page, "#away", /This is its last picture/);
  await waitForText(page, `${CARD} .value`, "21.0 °C");
  const loaded = await page.evaluate(() =>
    performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname),
  );
  const files = loaded.filter((path) => path.startsWith("/a/"));
  for (const name of ["app.js", "page.css", "parts/below.js", "vendor/uplot.js"])
    assert.ok(files.includes(`/a/${NEW}/${name}`), `${files}`);
  assert.deepEqual(
    files.filter((path) => !path.startsWith(`/a/${NEW}/`)),
    [],
  );
  await close(AWAY);
  await mtom.remove();
});
