/** The communication log: newest on top, one sentence each; it can be held still and narrowed. */

import { byId, el, setShown, setText } from "./dom.js";
import { sentence } from "./events.js";
import { clock, stamp } from "./format.js";
import { isKey } from "./i18n.js";
import { LOG_LEN } from "./state.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").LogLine} LogLine */

const HOPS = /** @type {const} */ (["broker", "gateway", "forward", "rules", "actuator"]);
/** Events that a person should not overlook. */
const BAD = ["broker_lost", "broker_forgot", "rejected", "refused", "noise", "forged"];

/** @param {Page} page */
export function createLog(page) {
  const list = byId("log");
  const pause = byId("log-pause");
  /** @type {HTMLSelectElement} */
  const hop = byId("log-hop");
  /** @type {HTMLInputElement} */
  const words = byId("log-words");
  /** The number of the newest line that is shown. */
  let shownId = -1;
  /** @type {LogLine[] | null} what is shown while it is held still */
  let held = null;

  pause.addEventListener("click", () => {
    held = held === null ? [...page.model.log] : null;
    renderAll();
  });
  hop.addEventListener("change", renderAll);
  words.addEventListener("input", renderAll);

  /** @param {LogLine} line */
  function isShown(line) {
    if (hop.value !== "" && hop.value !== line.hop) return false;
    const wanted = words.value.trim().toLowerCase();
    return wanted === "" || sentence(line, page.t, page.language).toLowerCase().includes(wanted);
  }

  /** Adds what is new. */
  function append() {
    if (held !== null) {
      labelPause();
      return;
    }
    const fresh = page.model.log.filter((line) => line.id > shownId && isShown(line));
    list.prepend(...fresh.reverse().map((line) => makeLine(page, line)));
    while (list.childElementCount > LOG_LEN) list.lastElementChild?.remove();
    settle(page.model.log);
  }

  function renderAll() {
    const lines = held ?? page.model.log;
    const shown = lines.filter(isShown).reverse();
    list.replaceChildren(...shown.map((line) => makeLine(page, line)));
    settle(lines);
    labelPause();
  }

  /** @param {LogLine[]} lines */
  function settle(lines) {
    shownId = lines.at(-1)?.id ?? -1;
    const isEmpty = list.childElementCount === 0;
    setShown(byId("log-empty"), isEmpty);
    setText(byId("log-empty"), page.t(lines.length === 0 ? "log.empty" : "log.none"));
  }

  function labelPause() {
    pause.setAttribute("aria-pressed", String(held !== null));
    const count = held === null ? 0 : page.model.log.filter((line) => line.id > shownId).length;
    const key = held === null ? "log.pause" : count > 0 ? "log.resume.new" : "log.resume";
    setText(pause, page.t(key, { count: count === LOG_LEN ? `${count}+` : count }));
  }

  function relabel() {
    const chosen = hop.value;
    const options = [
      option("", page.t("log.all")),
      ...HOPS.map((name) => option(name, page.t(`hop.${name}`))),
    ];
    hop.replaceChildren(...options);
    hop.value = chosen;
    renderAll();
  }

  return { append, renderAll, relabel };
}

/**
 * @param {string} value
 * @param {string} text
 */
function option(value, text) {
  const made = el("option", "", text);
  made.value = value;
  return made;
}

/**
 * @param {Page} page
 * @param {LogLine} line
 */
function makeLine(page, line) {
  const time = el("time", "", clock(line.at_micros, true));
  time.dateTime = line.at;
  time.title = stamp(line.at_micros, page.language);
  const key = `hop.${line.hop}`;
  const where = el("span", "hop", isKey(key) ? page.t(key) : line.hop);
  where.dataset.hop = line.hop;
  const what = el("span", "what foreign", sentence(line, page.t, page.language));
  const made = el("li", BAD.includes(line.event.kind) ? "is-bad" : "", time, where, what);
  made.dataset.kind = line.event.kind;
  return made;
}
