/**
 * The page: joins the live socket, what is known, and the parts that show it.
 *
 * Frames change the model at once; the picture follows at its own pace.
 */

import { SNAPSHOT_PATH, snapshot, status } from "./parts/api.js";
import { createAway } from "./parts/away.js";
import { createClocks } from "./parts/clocks.js";
import { byId, setShown, setText } from "./parts/dom.js";
import { createFirst } from "./parts/first.js";
import { createFooter } from "./parts/footer.js";
import { createGuests } from "./parts/guests.js";
import { rememberLanguage, translator } from "./parts/i18n.js";
import { languageButtons, relabel } from "./parts/labels.js";
import { createLeds } from "./parts/leds.js";
import { connect } from "./parts/live.js";
import { createNow } from "./parts/now.js";
import { createOverview } from "./parts/overview.js";
import { createPace } from "./parts/pace.js";
import { createPage } from "./parts/page.js";
import { createPath } from "./parts/pathview.js";
import { createPlay } from "./parts/play.js";
import { keepFiles, keptWhole, look, mend, renew } from "./parts/renew.js";
import { apply, select } from "./parts/state.js";
import { rememberUnit, unitButtons } from "./parts/unit.js";

/** @typedef {import("./parts/state.js").Part} Part */
/** @typedef {import("./parts/live.js").Connection} Connection */

const TICK_MILLIS = 250;
/** With reduced motion the chart moves in steps. */
const TICK_MILLIS_REDUCED = 1_000;
/** Files for when the gateway is away are fetched after what somebody waits for. */
const KEEP_MILLIS = 1_000;
/** What is further down does not wait longer than that for the first readings. */
const PATIENCE_MILLIS = 3_000;

const page = createPage();
/** What the gateway says, also while the page shows the past. */
const present = page.model;
/** @type {Connection} */
let connection = { state: "connecting" };
/** The first connection finds the page as it was served just now. */
let isAgain = false;
/** The parts show what they know, or that they know nothing. */
let isDrawn = false;
/** The first readings came without the live socket, which has said nothing yet. */
let isGreeted = false;
/** The live socket has said how things are. */
let isHeard = false;
// First of all: while it is made, so are the parts that show what it says.
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const live = connect(`${scheme}//${location.host}/live?batch=true`, hear, (changedTo) => {
  // It begins as it is known to, and nothing is there yet that could show it.
  if (connection.state !== changedTo.state || changedTo.state === "waiting") follow(changedTo);
});
void greeted();
const now = createNow(page);
const overview = createOverview(
  page,
  (key) => {
    select(page.model, key);
    overview.render();
    now.render();
    below?.loadChart();
  },
  // Who was away at a time of the past is not kept.
  (topic, isMissed) => (page.isReplay ? null : guests.awaySince(topic, isMissed)),
);
const path = createPath(
  page,
  () => connection.state === "open",
  // Nothing is wrong while it is asked for the first time.
  () => connection.state === "open" || (connection.state === "connecting" && !isAgain),
);
const first = createFirst(page);
const play = createPlay(page);
const guests = createGuests(
  page,
  () => connection.state === "open",
  () => overview.render(),
);
/** Whose story somebody wants to hear. */
let wanted = "";
const leds = createLeds(page, (name) => {
  wanted = name;
  void joined().then((parts) => {
    if (wanted !== "") parts?.tellWhy(wanted);
    wanted = "";
  });
});
const footer = createFooter(page);
const change = createPace(paint);
const away = createAway(page, hear);
const clocks = createClocks(page);

/** What is further down the page; null: it is not fetched yet. */
/** @type {import("./parts/below.js").Below | null} */
let below = null;
/** @type {Promise<import("./parts/below.js").Below | null> | null} */
let joining = null;
/** What is further down could not be fetched. */
let isTorn = false;

/** Fetches what is further down, once; null: the gateway went away meanwhile. */
function joined() {
  joining ??= join();
  return joining;
}

async function join() {
  /** @type {typeof import("./parts/below.js").createBelow} */
  let createBelow;
  try {
    ({ createBelow } = await import("./parts/below.js"));
  } catch {
    // Browsers remember what they could not import: only the page loaded anew gets it.
    isTorn = true;
    return null;
  }
  keptWhole();
  // It has no size as long as this stands.
  delete byId("main").dataset.waits;
  const isOpen = () => connection.state === "open";
  below = createBelow(page, { isOpen, focusLed: leds.focus, onChange: change });
  if (present.counts !== null) below.paint(new Set(/** @type {const} */ (["snapshot"])), []);
  return below;
}

/** Shows what has changed since the last picture. @param {Set<Part>} parts */
function paint(parts) {
  const { model } = page;
  isDrawn = true;
  const all = parts.has("snapshot");
  const isAnotherSeries = all || parts.has("series");
  const fresh = model.fresh.splice(0);
  if (all && !isGreeted) overview.reload();
  else if (isAnotherSeries) overview.renderList();
  if (all && isGreeted) overview.add([...model.series.values()].map(({ latest }) => latest));
  isGreeted &&= !all;
  if (fresh.length > 0) overview.add(fresh);
  if (parts.has("devices")) overview.render();
  if (isAnotherSeries || fresh.length > 0) now.render();
  if (isAnotherSeries) first.render();
  if (all || parts.has("actuators")) {
    leds.render();
    play.render();
  }
  if (isAnotherSeries || parts.has("actuators")) path.render();
  if (parts.has("lagged")) showLagged();
  // What a person looks at first is on the screen first.
  if (all) afterPicture(() => (below === null ? void joined() : below.paint(parts, fresh)));
  else below?.paint(parts, fresh);
}

/** @param {() => void} run when what is drawn in the next frame is on the screen */
function afterPicture(run) {
  requestAnimationFrame(() => setTimeout(run));
}

/** Asked again at each connection: another gateway may have taken its place. */
async function loadStatus() {
  try {
    page.status = await status();
  } catch {
    // The connection says that the gateway is away; the last status stays until it is back.
    return;
  }
  setShown(byId("insecure"), page.status.insecure !== null);
  setShown(byId("simulated"), page.status.simulated);
  footer.render();
  first.render();
  now.render();
}

/** A socket takes longer to open than an answer to come that was asked for with the page. */
async function greeted() {
  try {
    const frame = await snapshot();
    if (isHeard) return;
    // It may have waited for these modules.
    const at = Date.now() - sinceMillis(SNAPSHOT_PATH);
    apply(present, frame, at);
    away.note(at);
  } catch {
    // The connection says that the gateway is away.
    return;
  }
  if (page.isReplay) return;
  isGreeted = connection.state === "connecting" && !isAgain;
  // Now, not in the next frame. All the rest follows when the socket says it again, unless somebody gave it up.
  if (isGreeted && below === null) paint(new Set(/** @type {const} */ (["series", "actuators"])));
  else change(["snapshot"]);
}

/** How long ago the answer from `path` began to come. @param {string} path */
function sinceMillis(path) {
  const found = performance.getEntriesByName(new URL(path, location.href).href).at(-1);
  const begin = found instanceof PerformanceResourceTiming ? found.responseStart : 0;
  return begin > 0 ? performance.now() - begin : 0;
}

/** @param {import("./wire.d.ts").Frame} frame */
function hear(frame) {
  isHeard ||= connection.state === "open";
  const parts = apply(present, frame, Date.now());
  if (!page.isReplay) change(parts);
}

function showConnection() {
  const { t } = page;
  const place = byId("connection");
  place.dataset.state = connection.state;
  if (connection.state === "waiting") {
    const seconds = Math.max(0, Math.ceil((connection.untilMillis - Date.now()) / 1_000));
    setText(byId("connection-text"), t("connection.waiting", { seconds }));
  } else {
    setText(byId("connection-text"), t(`connection.${connection.state}`));
  }
}

function showLagged() {
  const count = page.model.lagged;
  setShown(byId("lagged"), count > 0);
  setText(byId("lagged"), page.t("connection.lagged", { count }));
}

/** Every text anew, in the page's language. */
function translate() {
  isDrawn = true;
  relabel(page.t, page.language);
  showConnection();
  away.render();
  clocks.render();
  showLagged();
  overview.renderList();
  now.render();
  path.render();
  first.render();
  play.render();
  guests.render();
  showUnit();
  leds.render(true);
  footer.render();
  below?.relabel();
}

for (const button of languageButtons()) {
  button.addEventListener("click", () => {
    page.language = button.dataset.language === "zh" ? "zh" : "en";
    page.t = translator(page.language);
    rememberLanguage(page.language);
    translate();
  });
}

function showUnit() {
  for (const button of unitButtons()) {
    button.setAttribute("aria-pressed", String(button.dataset.unit === page.unit));
  }
}

for (const button of unitButtons()) {
  button.addEventListener("click", () => {
    page.unit = button.dataset.unit === "F" ? "F" : "C";
    rememberUnit(page.unit);
    showUnit();
    overview.renderList();
    play.render();
    now.render();
    below?.convert();
  });
}

/** @param {Connection} changedTo */
function follow(changedTo) {
  connection = changedTo;
  away.follow(connection);
  showConnection();
  path.render();
  if (connection.state === "waiting") {
    isAgain = true;
    isGreeted = false;
    goOn();
  }
  // The readings first: the snapshot is drawn in the next frame, and all else is asked for after that.
  if (connection.state !== "open") return;
  if (document.visibilityState === "visible") afterPicture(greet);
  else greet();
}

/** The page as it is without the first readings. */
function goOn() {
  if (!isDrawn) translate();
  void joined();
}

/** Asks for what the live socket does not say. */
function greet() {
  void path.load();
  void play.load();
  void guests.load();
  void loadStatus();
  if (isAgain) {
    below?.resume();
    void look();
  }
  if (isTorn) mend();
  setTimeout(() => {
    if (connection.state === "open") void keepFiles();
  }, KEEP_MILLIS);
}

// What the parts show comes with the first readings.
relabel(page.t, page.language);
showUnit();
showConnection();
footer.render();
addEventListener("online", () => live.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") live.hurry();
});

const isReduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
setInterval(
  () => {
    now.tick();
    overview.render();
    below?.tick();
    if (below === null && performance.now() > PATIENCE_MILLIS) goOn();
    away.render();
    clocks.render();
    // Nothing that somebody has written, and no past that somebody looks at, is lost.
    renew(page.isReplay || below?.isDirty() === true);
    if (connection.state === "waiting") showConnection();
  },
  isReduced ? TICK_MILLIS_REDUCED : TICK_MILLIS,
);
