/**
 * Which second computers follow this gateway, and which actuators each of them drives.
 *
 * They are those of the present. One that is away keeps its actuators for a while, and stands here as long.
 */

import { controllers } from "./api.js";
import { byId, el, keepRows, setShown, setText } from "./dom.js";
import { moment, number, plain } from "./format.js";
import { single } from "./single.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */
/** @typedef {import("../wire.d.ts").Controller} Controller */

const PERIOD_MILLIS = 3_000;

/**
 * By their names, which persons chose.
 * @param {readonly Controller[]} all
 */
export function inOrder(all) {
  return [...all].sort((a, b) => order(a.name, b.name) || a.id - b.id);
}

/** @param {string} a @param {string} b */
const order = (a, b) => (a < b ? -1 : Number(a > b));

/**
 * How many are connected and how many are away, of each that there is any.
 * @param {readonly Controller[]} all
 * @param {Translate} t
 * @param {Language} language
 */
export function tally(all, t, language) {
  const away = all.filter((one) => one.away_since_micros !== null).length;
  const counts = /** @type {const} */ ([
    ["controllers.connected.count", all.length - away],
    ["controllers.away.count", away],
  ]);
  return counts
    .filter(([, count]) => count > 0)
    .map(([key, count]) => t(key, { count: number(count, language) }))
    .join(t("text.comma"));
}

/**
 * @param {Controller} controller
 * @param {Translate} t
 * @param {number} nowMillis
 * @param {Language} language
 * @returns {{state: "up" | "away", word: string, more: string}}
 */
export function judge({ since_micros: since, away_since_micros: away }, t, nowMillis, language) {
  const time = moment(away ?? since, nowMillis, language);
  const begin = t("link.since", { time });
  if (away === null) return { state: "up", word: t("controllers.connected"), more: begin };
  return { state: "away", word: t("link.away"), more: `${begin} · ${t("controllers.keeps")}` };
}

/** @typedef {ReturnType<typeof makeLine>} Line */

/**
 * @param {Page} page
 * @param {() => boolean} isOpen whether the gateway is heard
 */
export function createControllers(page, isOpen) {
  const place = byId("controllers");
  const list = byId("controllers-list");
  /** @type {Map<string, Line>} */
  const lines = new Map();
  /** @type {Controller[] | null} */
  let known = null;

  /** Asks only while somebody looks. */
  const load = single(async () => {
    if (document.visibilityState !== "visible" || !isOpen()) return;
    try {
      known = inOrder((await controllers()).controllers);
    } catch {
      // The socket tells when the gateway is away; the last picture stays.
      return;
    }
    relabel();
  });

  /** Whether there is anything to show here, beside the actuators of the gateway itself. */
  function render() {
    if (known === null) return;
    const isAny = known.length > 0;
    setShown(place, isAny && !page.isReplay);
    setShown(byId("leds-none"), !isAny && page.model.actuators.size === 0);
  }

  /** Every text anew, in the page's language. */
  function relabel() {
    const { t, language } = page;
    render();
    if (known === null) return;
    setText(byId("controllers-tally"), tally(known, t, language));
    // Who takes another name is another one.
    const of = new Map(known.map((one) => [JSON.stringify([one.name, one.id]), one]));
    keepRows(list, lines, [...of.keys()], makeLine);
    for (const [key, one] of of) {
      const line = lines.get(key);
      if (line !== undefined) fill(line, one, page);
    }
  }

  setInterval(() => void load(), PERIOD_MILLIS);
  void load();
  return { load, render, relabel };
}

function makeLine() {
  const name = el("strong", "foreign");
  const address = el("code", "muted foreign");
  const drives = el("p", "controller-drives");
  const word = el("span", "");
  const more = el("span", "muted");
  const link = el("p", "", el("span", "dot"), word, " ", more);
  const row = el("li", "controller", el("p", "", name, " ", address), drives, link);
  return { row, name, address, drives, drawn: "", word, more, link };
}

/**
 * @param {Line} line
 * @param {Controller} controller
 * @param {Page} page
 */
function fill(line, controller, { t, language, nowMillis }) {
  const { state, word, more } = judge(controller, t, nowMillis(), language);
  line.row.dataset.name = controller.name;
  line.link.dataset.state = state;
  setText(line.name, plain(controller.name));
  setText(line.address, plain(controller.address));
  setText(line.word, word);
  setText(line.more, more);
  const { actuators } = controller;
  const drawn = JSON.stringify([language, actuators]);
  if (drawn === line.drawn) return;
  line.drawn = drawn;
  if (actuators.length === 0) {
    line.drives.replaceChildren(el("span", "muted", t("controllers.drives.none")));
    return;
  }
  const names = actuators.flatMap((name, index) => [
    index === 0 ? "" : t("text.comma"),
    el("span", "foreign", plain(name)),
  ]);
  line.drives.replaceChildren(el("span", "muted", t("controllers.drives")), ...names);
}
