/**
 * A real gateway, a real browser, and a real MQTT client between them.
 *
 * `MTOM_BIN` names the binary (else the debug build), `CHROMIUM` the browser (else the one on the
 * path). Everything waits for events with a limit; nothing sleeps.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** No test waits longer for anything. */
export const LIMIT_MILLIS = 15_000;

const target = fileURLToPath(new URL("../../../target/", import.meta.url));
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @typedef {{mqtt: string, live: string, history: string, tcp: string, udp: string, dashboard: string}} Ready */
/** @typedef {Awaited<ReturnType<typeof startMtom>>} Mtom */
/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContextOptions} ContextOptions */

/**
 * `mtom up` on free ports with its data in a folder of its own.
 * @param {string[]} sets further `--set section.key=value`
 * @param {string} [folder] of an earlier one
 * @param {"up" | "gateway"} [command]
 */
export async function startMtom(
  sets = [],
  folder = mkdtempSync(join(tmpdir(), "mtom-page-")),
  command = "up",
) {
  const binary = binaryPath();
  const readyFile = join(folder, "ready.json");
  rmSync(readyFile, { force: true });
  const all = [`data.dir=${join(folder, "data")}`, "simulate.sensors=0"];
  for (const port of ["broker", "live", "history", "forward.tcp", "dashboard"])
    all.push(`${port}.listen=127.0.0.1:0`);
  const process_ = spawn(
    binary,
    [command, "--ready-file", readyFile, ...[...all, ...sets].flatMap((set) => ["--set", set])],
    { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  // A test that fails half way leaves nothing behind.
  const leave = () => {
    process_.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", leave);
  let said = "";
  process_.stderr.on("data", (bytes) => {
    said += bytes;
  });
  const ended = new Promise((done) => process_.once("exit", done));
  /** @type {Ready} */
  const ready = await Promise.race([
    fileOf(folder, readyFile),
    ended.then((code) => assert.fail(`mtom ended with ${code}: ${said}`)),
  ]);
  return {
    ready,
    folder,
    url: `http://${ready.dashboard}/`,
    /**
     * @param {string} topic
     * @param {string | string[]} payload several: one message each
     */
    publish(topic, payload) {
      publish(ready.mqtt, topic, payload);
    },
    async stop() {
      process_.kill("SIGINT");
      assert.equal(await ended, 0, said);
    },
    /** Stops it and removes what it has kept. */
    async remove() {
      if (process_.exitCode === null) await this.stop();
      rmSync(folder, { recursive: true, force: true });
      process.off("exit", leave);
    },
  };
}

/**
 * `mtom up` for one test: it ends and leaves nothing, however the test ends.
 * @param {string[]} sets
 * @param {(mtom: Mtom) => Promise<void>} use
 * @param {string} [folder] of an earlier one
 */
export async function withMtom(sets, use, folder) {
  const mtom = await startMtom(sets, folder);
  try {
    await use(mtom);
  } finally {
    await mtom.remove();
  }
}

/**
 * `mtom actuator` on TCP.
 * @param {string[]} [more] further arguments
 * @param {string} [listen]
 */
export async function startDevice(more = [], listen = "127.0.0.1:0") {
  const process_ = spawn(binaryPath(), ["actuator", "--listen", listen, ...more], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const leave = () => process_.kill("SIGKILL");
  process.once("exit", leave);
  const ended = new Promise((done) => process_.once("exit", done));
  const address = await new Promise((done, fail) => {
    let said = "";
    process_.stdout.on("data", (bytes) => {
      said += bytes;
      const found = /waits on tcp:(\S+)/.exec(said);
      if (found !== null) done(found[1]);
    });
    void ended.then((code) => fail(new Error(`mtom actuator ended with ${code}: ${said}`)));
  });
  return {
    /** @type {string} */
    address,
    /** Presses its button. */
    press() {
      process_.kill("SIGUSR1");
    },
    /** Takes its power away. */
    async kill() {
      process_.kill("SIGKILL");
      await ended;
      process.off("exit", leave);
    },
  };
}

/**
 * `mtom sensor`, which keeps its connection.
 * @param {string} broker
 * @param {string[]} [more] further arguments
 * @param {string} [interval]
 */
export function startSensor(broker, more = [], interval = "500ms") {
  const process_ = spawn(
    binaryPath(),
    ["sensor", "--broker", broker, "--interval", interval, ...more],
    {
      stdio: "ignore",
    },
  );
  const leave = () => process_.kill("SIGKILL");
  process.once("exit", leave);
  const ended = new Promise((done) => process_.once("exit", done));
  return {
    /** Takes its power away. */
    async kill() {
      process_.kill("SIGKILL");
      await ended;
      process.off("exit", leave);
    },
  };
}

/**
 * `mtom controller`, connected, with its data in a folder of its own.
 * @param {string} from the gateway
 * @param {string} name
 * @param {string[]} [sets] further `--set section.key=value`
 */
export async function startController(from, name, sets = []) {
  const folder = mkdtempSync(join(tmpdir(), "mtom-page-"));
  const all = [`data.dir=${join(folder, "data")}`, ...sets].flatMap((set) => ["--set", set]);
  const process_ = spawn(binaryPath(), ["controller", "--from", from, "--name", name, ...all], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const leave = () => {
    process_.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", leave);
  const ended = new Promise((done) => process_.once("exit", done));
  await new Promise((done, fail) => {
    let said = "";
    for (const stream of [process_.stdout, process_.stderr]) {
      stream.on("data", (bytes) => {
        said += bytes;
        if (said.includes("connected to ")) done(undefined);
      });
    }
    void ended.then((code) => fail(new Error(`mtom controller ended with ${code}: ${said}`)));
  });
  return {
    /** Takes its power away. */
    async kill() {
      process_.kill("SIGKILL");
      await ended;
      leave();
      process.off("exit", leave);
    },
  };
}

/** Bytes that the name of a controller or of an actuator may have. */
const NAME_LEN_MAX = 64;

/** The beginning of a text that is no longer than a name. @param {string} text */
export function nameOf(text) {
  let name = text;
  while (Buffer.byteLength(name) > NAME_LEN_MAX) name = name.slice(0, -1);
  return name;
}

/**
 * Controllers that say what they drive, and nothing more; each name of an actuator begins with a number of its own.
 * @param {string} tcp
 * @param {readonly string[]} names
 */
export async function claimActuators(tcp, names) {
  const [host = "", port = ""] = tcp.split(":");
  const sockets = names.map((name, index) => {
    const actuators = [1, 2, 3].map((place) => nameOf(`${index}-${place} ${name}`));
    const controller = { name: nameOf(name), id: String(index), actuators };
    const socket = connect(Number(port), host);
    socket.on("error", () => {});
    socket.write(`${JSON.stringify({ subscribe: ["none"], status: true, controller })}\n`);
    return socket;
  });
  const answers = sockets.map((socket) => new Promise((done) => socket.once("data", done)));
  for (const answer of await Promise.all(answers)) assert.match(String(answer), /^\{"gateway"/);
  return {
    /** Takes the power of all of them away. */
    kill() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** @param {ContextOptions} [defaults] */
export async function startBrowser(defaults = {}) {
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: FLAGS });
  return {
    /**
     * Opens the page in a new and empty profile.
     * @param {string} url
     * @param {ContextOptions} [options]
     * @param {(page: Page) => Promise<void>} [prepare]
     * @param {string} [begin] what is opened first, where it is not the page itself
     */
    async open(url, options = {}, prepare = async () => {}, begin = url) {
      const context = await browser.newContext({
        viewport: { width: 1440, height: 900 },
        locale: "en-US",
        ...defaults,
        ...options,
      });
      context.setDefaultTimeout(LIMIT_MILLIS);
      const page = await context.newPage();
      const seen = watchPage(page, url);
      await prepare(page);
      await page.goto(begin);
      // What is further down the page comes after what is looked at first.
      await page.waitForFunction(() => document.querySelector("main[data-waits]") === null);
      return {
        page,
        seen,
        /**
         * Nothing went wrong that nobody has looked at.
         * @param {RegExp} [expected] what the browser itself reports here, sooner or later
         */
        async close(expected) {
          const others = seen.errors.filter((error) => expected?.test(error) !== true);
          assert.deepEqual(others, []);
          assert.deepEqual(seen.dialogs, []);
          assert.deepEqual(seen.foreign, []);
          await context.close();
        },
      };
    },
    close: () => browser.close(),
  };
}

/**
 * Saves a picture for people to look at.
 * @param {Page} page
 * @param {string} name
 * @param {boolean} [fullPage] with what has to be scrolled to
 */
export async function screenshot(page, name, fullPage = true) {
  const folder = join(target, "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
}

/**
 * Waits until the element's text is, or matches, what is expected.
 * @param {Page} page
 * @param {string} selector
 * @param {string | RegExp} expected
 */
export async function waitForText(page, selector, expected) {
  const isText = typeof expected === "string";
  const wanted = { selector, text: isText ? expected : expected.source, isText };
  const check = (/** @type {typeof wanted} */ { selector, text, isText }) => {
    const found = document.querySelector(selector)?.textContent ?? "";
    return isText ? found === text : new RegExp(text).test(found);
  };
  try {
    await page.waitForFunction(check, wanted);
  } catch {
    assert.fail(
      `${selector} is ${JSON.stringify(await page.textContent(selector))}, not ${expected}`,
    );
  }
}

/**
 * @param {string} address
 * @param {string} topic
 * @param {string | string[]} payload
 */
function publish(address, topic, payload) {
  const [host = "", port = ""] = address.split(":");
  const many = Array.isArray(payload);
  const done = spawnSync(
    "mosquitto_pub",
    ["-h", host, "-p", port, "-q", "1", "-t", topic, many ? "-l" : "-s"],
    {
      input: many ? `${payload.join("\n")}\n` : payload,
      timeout: LIMIT_MILLIS,
    },
  );
  assert.equal(done.status, 0, `mosquitto_pub: ${done.error ?? done.stderr}`);
}

/**
 * @param {Page} page
 * @param {string} url
 */
function watchPage(page, url) {
  /** @type {{errors: string[], dialogs: string[], foreign: string[]}} */
  const seen = { errors: [], dialogs: [], foreign: [] };
  const own = new URL(url).host;
  page.on("console", (message) => {
    // A refused script or style (CSP) is an error in the console too.
    if (message.type() === "error" || message.type() === "warning")
      seen.errors.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error.stack)));
  page.on("dialog", (dialog) => {
    seen.dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const { host, protocol } = new URL(request.url());
    if (host !== own && protocol !== "data:") seen.foreign.push(request.url());
  });
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== own) seen.foreign.push(socket.url());
  });
  return seen;
}

/** @returns {string} */
function binaryPath() {
  const binary = process.env.MTOM_BIN ?? join(target, "debug", "mtom");
  assert.ok(existsSync(binary), `no mtom at ${binary}: cargo build -p mtom, or set MTOM_BIN`);
  return binary;
}

/** @returns {string} */
function chromiumPath() {
  const named = process.env.CHROMIUM;
  if (named !== undefined) return named;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  return assert.fail("no chromium on the path: install it, or set CHROMIUM");
}

/**
 * What is in the file, as soon as it is there and whole.
 * @param {string} folder
 * @param {string} file
 * @returns {Promise<Ready>}
 */
function fileOf(folder, file) {
  return new Promise((done, fail) => {
    const limit = setTimeout(() => end(() => fail(new Error(`${file} never came`))), LIMIT_MILLIS);
    const watcher = watch(folder, look);
    look();

    function look() {
      try {
        const ready = JSON.parse(readFileSync(file, "utf8"));
        end(() => done(ready));
      } catch {
        // Not there, or not whole yet: the next change tells.
      }
    }

    /** @param {() => void} settle */
    function end(settle) {
      clearTimeout(limit);
      watcher.close();
      settle();
    }
  });
}
