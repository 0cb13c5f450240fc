/**
 * The page: joins the live socket, what is known, and the parts that show it.
 *
 * Frames change the model at once; the picture follows at its own pace.
 */

import { createAlerts } from "./parts/alerts.js";
import { status } from "./parts/api.js";
import { createAway } from "./parts/away.js";
import { createChart } from "./parts/chart.js";
import { createClocks } from "./parts/clocks.js";
import { byId, setShown, setText } from "./parts/dom.js";
import { createEdit } from "./parts/edit.js";
import { createFirst } from "./parts/first.js";
import { createFooter } from "./parts/footer.js";
import { createGuests } from "./parts/guests.js";
import { createHistory } from "./parts/history.js";
import { rememberLanguage, translator } from "./parts/i18n.js";
import { languageButtons, relabel } from "./parts/labels.js";
import { createLeds } from "./parts/leds.js";
import { connect } from "./parts/live.js";
import { createLog } from "./parts/log.js";
import { createNow } from "./parts/now.js";
import { createOverview } from "./parts/overview.js";
import { createPace } from "./parts/pace.js";
import { createPage } from "./parts/page.js";
import { createPath } from "./parts/pathview.js";
import { createPlay } from "./parts/play.js";
import { createPlayer } from "./parts/player.js";
import { createRejects } from "./parts/rejects.js";
import { keepFiles, look, renew } from "./parts/renew.js";
import { createRules } from "./parts/rules.js";
import { apply, select } from "./parts/state.js";
import { createStorage } from "./parts/storage.js";
import { rememberUnit, unitButtons } from "./parts/unit.js";
import { createWhy } from "./parts/why.js";

/** @typedef {import("./parts/state.js").Part} Part */
/** @typedef {import("./parts/live.js").Connection} Connection */

const TICK_MILLIS = 250;
/** With reduced motion the chart moves in steps. */
const TICK_MILLIS_REDUCED = 1_000;
/** Files for when the gateway is away are fetched after what somebody waits for. */
const KEEP_MILLIS = 1_000;

const page = createPage();
/** What the gateway says, also while the page shows the past. */
const present = page.model;
/** @type {Connection} */
let connection = { state: "connecting" };
const now = createNow(page);
const overview = createOverview(
  page,
  (key) => {
    select(page.model, key);
    overview.render();
    now.render();
    void chart.load();
  },
  // Who was away at a time of the past is not kept.
  (topic, isMissed) => (page.isReplay ? null : guests.awaySince(topic, isMissed)),
);
const path = createPath(page, () => connection.state === "open");
const first = createFirst(page);
const play = createPlay(page);
const guests = createGuests(
  page,
  () => connection.state === "open",
  () => overview.render(),
);
const chart = createChart(page);
const leds = createLeds(page, (name) => why.open(name));
const why = createWhy(page, (name) => leds.focus(name));
const edit = createEdit(page);
const rules = createRules(
  page,
  () => connection.state === "open",
  () => edit.open(),
  (found) => edit.follow(found),
);
const alerts = createAlerts(page);
const log = createLog(page);
const history = createHistory(page);
const rejects = createRejects(page);
const storage = createStorage(page);
const footer = createFooter(page);
const change = createPace(paint);
const player = createPlayer(page, { onChange: change, sight: chart.sight });
const away = createAway(page, hear);
const clocks = createClocks(page);

/** @type {string | null} */
let charted = null;
/** Shows what has changed since the last picture. @param {Set<Part>} parts */
function paint(parts) {
  const { model } = page;
  const all = parts.has("snapshot");
  const isAnotherSeries = all || parts.has("series");
  const fresh = model.fresh.splice(0);
  if (all) overview.reload();
  else if (isAnotherSeries) overview.renderList();
  if (fresh.length > 0) overview.add(fresh);
  if (isAnotherSeries || fresh.length > 0) now.render();
  if (isAnotherSeries) first.render();
  if (all || parts.has("actuators")) {
    leds.render();
    play.render();
  }
  if (isAnotherSeries || parts.has("actuators")) path.render();
  if (parts.has("lagged")) showLagged();
  // What a person looks at first is on the screen first.
  if (all) requestAnimationFrame(() => paintBelow(parts, fresh));
  else paintBelow(parts, fresh);
}

/**
 * What is further down, and asks the gateway for more.
 * @param {Set<Part>} parts
 * @param {readonly import("./wire.d.ts").Reading[]} fresh
 */
function paintBelow(parts, fresh) {
  const { model } = page;
  const all = parts.has("snapshot");
  if (all || parts.has("series")) {
    if (!page.isReplay) history.listSeries();
    chart.offer();
  }
  if (all || charted !== model.selected) {
    charted = model.selected;
    void chart.load();
  } else if (fresh.length > 0) {
    chart.add(fresh);
  }
  if (fresh.length > 0 && !page.isReplay) history.note(fresh);
  if (parts.has("actuators") && !all) chart.loadDriven();
  if (all || parts.has("actuators") || parts.has("log")) why.follow(all);
  if (all || parts.has("log")) {
    rules.follow(all);
    if (!page.isReplay) alerts.follow(all);
  }
  if (all) log.renderAll();
  else if (parts.has("log")) log.append();
  if (all || parts.has("counts")) void rejects.render();
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

/** @param {import("./wire.d.ts").Frame} frame */
function hear(frame) {
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
  chart.relabel();
  leds.render(true);
  rules.render();
  alerts.render();
  log.relabel();
  history.relabel();
  rejects.relabel();
  player.relabel();
  storage.render();
  footer.render();
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
    overview.render();
    play.render();
    now.render();
    chart.relabel();
    history.relabel();
  });
}

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
/** The first connection finds the page as it was served just now. */
let isAgain = false;
const live = connect(`${scheme}//${location.host}/live`, hear, (changedTo) => {
  connection = changedTo;
  away.follow(connection);
  showConnection();
  path.render();
  if (connection.state === "waiting") isAgain = true;
  // The readings first: the snapshot is drawn in the next frame, and all else is asked for after that.
  if (connection.state === "open") requestAnimationFrame(() => setTimeout(greet));
});

/** Asks for what the live socket does not say. */
function greet() {
  void path.load();
  void play.load();
  void guests.load();
  void loadStatus();
  void storage.load();
  if (isAgain) {
    history.resume();
    void look();
  }
  setTimeout(() => void keepFiles(), KEEP_MILLIS);
}
// Meanwhile the connection is made.
translate();
void history.reset();
addEventListener("online", () => live.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") live.hurry();
});

const isReduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
setInterval(
  () => {
    now.tick();
    overview.render();
    rules.tick();
    chart.draw();
    away.render();
    clocks.render();
    // Nothing that somebody has written, and no past that somebody looks at, is lost.
    renew(page.isReplay || edit.isDirty());
    if (connection.state === "waiting") showConnection();
  },
  isReduced ? TICK_MILLIS_REDUCED : TICK_MILLIS,
);
