/**
 * Home Assistant: what it is told of this gateway, and what was found by what others tell it.
 *
 * It is there only where the configuration wants one of the two.
 */

import { discovered, homeAssistant } from "./api.js";
import { byId, el, keepRows, setShown, setText } from "./dom.js";
import { number, plain } from "./format.js";
import { single } from "./single.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./i18n.js").Key} Key */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */
/** @typedef {import("../wire.d.ts").HomeAssistant} HomeAssistant */
/** @typedef {import("../wire.d.ts").DiscoveredThings} DiscoveredThings */
/** @typedef {import("../wire.d.ts").DiscoveredThing} Thing */

const PERIOD_MILLIS = 3_000;
/** Things that are listed; the API has all of them. */
const LIST_MAX = 300;
/** Topics set aside that are listed. */
const ASIDE_MAX = 10;
/** What a person can do something about comes first. */
const ORDER = /** @type {const} */ (["not_understood", "not_read", "switch", "read", "named"]);

/**
 * How it stands, in one word.
 * @param {Pick<HomeAssistant, "connection" | "home">} told
 * @returns {{state: "up" | "away" | "broken", key: Key}}
 */
export function judge({ connection, home }) {
  if (connection === "down") return { state: "broken", key: "house.down" };
  if (home === "offline") return { state: "away", key: "house.offline" };
  return { state: "up", key: home === "online" ? "house.online" : "house.quiet" };
}

/**
 * What is wrong, each a sentence.
 * @param {Pick<HomeAssistant, "reason" | "not_taken" | "not_heard" | "left">} told
 * @param {Translate} t
 */
export function troubles(told, t) {
  const { reason, not_taken: notTaken, not_heard: notHeard, left } = told;
  const all = reason === null ? [] : [plain(reason)];
  if (notTaken !== null) all.push(t("house.not.taken", { reason: plain(notTaken) }));
  for (const filter of notHeard) all.push(t("house.not.heard", { filter: plain(filter) }));
  if (left !== null) {
    const [count, broker, command] = [String(left.topics), plain(left.broker), plain(left.command)];
    all.push(t("house.left", { count, broker, command }));
  }
  return all;
}

/**
 * What a thing is here, and the code that belongs to it.
 * @param {Thing} thing
 * @param {Translate} t
 * @returns {{said: string, code: string}}
 */
export function standing({ standing, quantity, unit, topic, link, reason, config }, t) {
  switch (standing) {
    case "read": {
      const named = [quantity, unit].filter((word) => word !== null && word !== "").join(", ");
      return { said: t("house.read", { quantity: plain(named) }), code: plain(topic ?? "") };
    }
    case "named":
      return { said: t("house.named"), code: plain(topic ?? "") };
    case "switch":
      return { said: t("house.switch"), code: plain(link ?? "") };
    case "not_read":
      return { said: t("house.not_read", { reason: plain(reason ?? "") }), code: plain(config) };
    default:
      return {
        said: t("house.not_understood", { reason: plain(reason ?? "") }),
        code: plain(config),
      };
  }
}

/** @param {readonly Thing[]} things */
export function inOrder(things) {
  const place = (/** @type {Thing} */ { standing }) => ORDER.indexOf(standing);
  return [...things].sort((a, b) => place(a) - place(b));
}

/** @typedef {ReturnType<typeof makeLine>} Line */

/**
 * @param {Page} page
 * @param {() => boolean} isOpen whether the gateway is heard
 */
export function createHouse(page, isOpen) {
  const list = byId("house-list");
  /** @type {Map<string, Line>} */
  const lines = new Map();
  /** @type {HomeAssistant | null} */
  let told = null;
  /** @type {DiscoveredThings | null} */
  let found = null;
  let isOn = false;

  /** Asks only while somebody looks. */
  const load = single(async () => {
    if (document.visibilityState !== "visible" || !isOpen()) return;
    try {
      [told, found] = await Promise.all([homeAssistant(), discovered()]);
    } catch {
      // The socket tells when the gateway is away; the last picture stays.
      return;
    }
    isOn = isTold(told) || found.prefix !== null;
    relabel();
  });

  /** It is of the present. */
  function render() {
    setShown(byId("house"), isOn && !page.isReplay);
  }

  /** Every text anew, in the page's language. */
  function relabel() {
    render();
    if (!isOn || told === null || found === null) return;
    setShown(byId("house-told"), isTold(told));
    setShown(byId("house-found"), found.prefix !== null);
    if (isTold(told)) showTold(told, page);
    if (found.prefix !== null) showFound(found, told.set_aside);
  }

  /**
   * @param {DiscoveredThings} found
   * @param {readonly string[]} aside topics that are not heard
   */
  function showFound({ things, counts }, aside) {
    const { t, language } = page;
    setText(byId("house-tally"), tally(counts, aside, t, language));
    const first = inOrder(things).slice(0, LIST_MAX);
    const of = new Map(first.map((one) => [JSON.stringify([one.config, one.key]), one]));
    keepRows(list, lines, [...of.keys()], makeLine);
    for (const [key, thing] of of) {
      const line = lines.get(key);
      if (line === undefined) continue;
      const { said, code } = standing(thing, t);
      line.row.dataset.standing = thing.standing;
      setText(line.name, plain(thing.device === "" ? thing.config : thing.device));
      setText(line.platform, plain(thing.platform));
      setText(line.said, said);
      setText(line.code, code);
    }
    setShown(list, first.length > 0);
    const rest = byId("house-rest");
    setShown(rest, things.length > first.length);
    setText(rest, t("house.rest", { count: number(things.length - first.length, language) }));
  }

  // Whether there is anything changes with the gateway alone.
  setInterval(() => void ((isOn || told === null) && load()), PERIOD_MILLIS);
  void load();
  return { load, render, relabel };
}

/**
 * What was found, in one line.
 * @param {DiscoveredThings["counts"]} counts
 * @param {readonly string[]} aside topics over which the broker closes the connection
 * @param {Translate} t
 * @param {Language} language
 */
export function tally(counts, aside, t, language) {
  const { configs, sensors, switches, not_understood: missed, not_read: unread, refused } = counts;
  if (configs === 0 && refused === 0) return t("house.none");
  const shown = (/** @type {number} */ count) => number(count, language);
  const first = t("house.tally", {
    configs: shown(configs),
    sensors: shown(sensors),
    switches: shown(switches),
    missed: shown(missed),
  });
  const all = [first];
  if (unread > 0) all.push(t("house.tally.unread", { unread: shown(unread) }));
  if (refused > 0) all.push(t("house.tally.refused", { refused: shown(refused) }));
  if (aside.length > 0) {
    const topics = aside
      .slice(0, ASIDE_MAX)
      .map((topic) => plain(topic))
      .join(" ");
    all.push(t("house.tally.aside", { aside: shown(aside.length), topics }));
  }
  return all.join(t("text.comma"));
}

/**
 * @param {HomeAssistant} told
 * @param {Page} page
 */
function showTold(told, { t, language }) {
  for (const id of ["house-line", "house-counts", "house-words"]) {
    setShown(byId(id), told.announce);
  }
  const { state, key } = judge(told);
  byId("house-line").dataset.state = state;
  setText(byId("house-word"), t(key));
  const { devices, sensors, switches, obeyed, refused, name } = told;
  const shown = (/** @type {number} */ count) => number(count, language);
  setText(
    byId("house-counts"),
    t("house.counts", {
      devices: shown(devices),
      sensors: shown(sensors),
      switches: shown(switches),
      name: plain(name),
    }),
  );
  setText(
    byId("house-words"),
    t("house.words", { obeyed: shown(obeyed), refused: shown(refused) }),
  );
  const place = byId("house-troubles");
  const said = troubles(told, t);
  setShown(place, said.length > 0);
  const drawn = JSON.stringify(said);
  if (place.dataset.drawn === drawn) return;
  place.dataset.drawn = drawn;
  place.replaceChildren(...said.map((one) => el("li", "foreign", one)));
}

/**
 * Whether it is told something, or was at another broker.
 * @param {Pick<HomeAssistant, "announce" | "left">} told
 */
function isTold({ announce, left }) {
  return announce || left !== null;
}

function makeLine() {
  const name = el("strong", "foreign");
  const platform = el("span", "muted small foreign");
  const said = el("span", "foreign");
  const code = el("code", "muted foreign");
  const row = el("li", "", el("p", "", name, " ", platform), said, code);
  return { row, name, platform, said, code };
}
