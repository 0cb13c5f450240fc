/**
 * The actuators: what each should be, what it was told, what it says it is.
 *
 * The lamp is what the device reported. A device that cannot answer is shown as it was told, and
 * said to be so. The lamp is a button that asks why.
 */

import { cause } from "./cause.js";
import { byId, el, setText } from "./dom.js";
import { clock, latency, moment, plain } from "./format.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./i18n.js").Translate} Translate */
/** @typedef {import("../wire.d.ts").Actuator} Actuator */
/** @typedef {import("../wire.d.ts").State} State */
/** @typedef {"on" | "off" | "unknown"} Lamp */

/**
 * What can be said about an LED, and who says it.
 * @param {Actuator} actuator
 * @param {Translate} t
 * @returns {{lamp: Lamp, isSure: boolean, says: string}}
 */
export function judge(actuator, t) {
  const { reported, sent, desired, link_state: link } = actuator;
  if (reported !== null) {
    if (link !== "up") {
      const state = t(`link.${link}`);
      return { lamp: reported.led, isSure: false, says: t("led.says.last", { state }) };
    }
    const isWaiting = desired !== null && desired.led !== reported.led;
    return {
      lamp: reported.led,
      isSure: true,
      says: t(isWaiting ? "led.says.waiting" : "led.says.applied"),
    };
  }
  if (sent !== null) return { lamp: sent.led, isSure: false, says: t("led.says.sent") };
  return { lamp: "unknown", isSure: false, says: t("led.says.nothing") };
}

/**
 * @param {Page} page
 * @param {(name: string) => void} onWhy
 */
export function createLeds(page, onWhy) {
  const list = byId("leds");
  /** @type {Map<string, {actuator: Actuator, card: HTMLElement}>} */
  let cards = new Map();
  let announced = "";

  /** @param {boolean} [anew] in another language */
  function render(anew = false) {
    const { model, t } = page;
    const before = anew ? new Map() : cards;
    const focused = focusedName();
    cards = new Map();
    for (const [name, actuator] of [...model.actuators].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const known = before.get(name);
      const card = known?.actuator === actuator ? known.card : makeCard(page, actuator, onWhy);
      cards.set(name, { actuator, card });
    }
    list.replaceChildren(...[...cards.values()].map(({ card }) => card));
    if (focused !== null) focus(focused);
    const sentences = [...cards.values()].map(({ actuator }) => {
      const { lamp, says } = judge(actuator, t);
      return t("led.announce", { name: plain(actuator.name), state: t(`led.${lamp}`), says });
    });
    announced = sentences.join(t("text.stop"));
    setText(byId("led-announce"), announced);
  }

  /** The card whose button has the focus, which would be lost with the element. */
  function focusedName() {
    for (const [name, { card }] of cards) if (card.contains(document.activeElement)) return name;
    return null;
  }

  /** @param {string} name */
  function focus(name) {
    cards.get(name)?.card.querySelector("button")?.focus({ preventScroll: true });
  }

  return { render, focus };
}

/**
 * @param {Page} page
 * @param {Actuator} actuator
 * @param {(name: string) => void} onWhy
 */
function makeCard(page, actuator, onWhy) {
  const { t } = page;
  const { lamp, isSure, says } = judge(actuator, t);
  const bulb = el("span", "lamp");
  bulb.dataset.led = lamp;
  bulb.dataset.sure = String(isSure);
  bulb.setAttribute("aria-hidden", "true");
  const name = el("p", "led-name", el("strong", "foreign", plain(actuator.name)));
  if (actuator.simulated) name.append(el("span", "badge", t("led.simulated")));
  const state = t(`led.${lamp}`);
  const button = el(
    "button",
    "led-why",
    bulb,
    el("span", "led-state", state),
    " ",
    el("span", "led-ask", t("why.ask")),
  );
  button.type = "button";
  button.setAttribute("aria-haspopup", "dialog");
  button.setAttribute("aria-label", `${plain(actuator.name)}: ${state} ${t("why.ask")}`);
  button.addEventListener("click", () => onWhy(actuator.name));
  const top = el("div", "led-top", name, button, el("p", "small", says));
  const { desired, sent, reported } = actuator;
  const steps = el(
    "dl",
    "led-steps",
    step(page, "led.desired", desired, false),
    step(page, "led.sent", sent, desired !== null && sent?.led !== desired.led),
    step(
      page,
      "led.reported",
      reported,
      reported !== null && desired !== null && reported.led !== desired.led,
    ),
  );
  const card = el("article", "led", top, steps, facts(page, actuator));
  card.dataset.name = actuator.name;
  return card;
}

/**
 * @param {Page} page
 * @param {"led.desired" | "led.sent" | "led.reported"} title
 * @param {Pick<State, "led" | "number" | "at_micros"> | null} state
 * @param {boolean} differs
 */
function step(page, title, state, differs) {
  const { t } = page;
  const word = el("dd", differs ? "word differs" : "word");
  const cell = el("div", "", el("dt", "", t(title)), word);
  cell.dataset.step = title.slice("led.".length);
  if (state === null) {
    word.append(t("led.never"));
    return cell;
  }
  word.append(t(`led.${state.led}`));
  const command = t("led.command", { number: state.number });
  cell.append(
    el("dd", "small", state.number === 0 ? "" : command),
    el("dd", "small", clock(state.at_micros)),
  );
  return cell;
}

/**
 * @param {Page} page
 * @param {Actuator} actuator
 */
function facts(page, actuator) {
  const { t, language } = page;
  const { desired } = actuator;
  const lines = el("div", "led-facts");
  if (desired !== null) {
    const text = t("led.because", {
      rule: plain(desired.rule),
      cause: cause(desired.cause, t, language),
    });
    lines.append(el("p", "foreign", text));
  }
  if (actuator.latency_micros !== null) {
    const text = t("led.latency", { latency: latency(actuator.latency_micros, language) });
    lines.append(el("p", "", text));
  }
  lines.append(link(page, actuator));
  if (actuator.link_reason !== "") {
    lines.append(el("p", "foreign small", plain(actuator.link_reason)));
  }
  const firmware =
    actuator.firmware === null ? [] : [`${t("led.firmware")} ${plain(actuator.firmware)}`];
  lines.append(el("p", "foreign small", [plain(actuator.link), ...firmware].join(" · ")));
  if (actuator.trust !== null) lines.append(trust(actuator.trust, t));
  return lines;
}

/**
 * The state of the link and since when it is so; while it is tried again, also since when it is not up.
 * @param {Page} page
 * @param {Actuator} actuator
 */
function link({ t, language, nowMillis }, actuator) {
  /** @param {number} micros */
  const time = (micros) => moment(micros, nowMillis(), language);
  const { link_state: state, link_since_micros: since, link_down_since_micros: down } = actuator;
  const ages = [t("link.since", { time: time(since) })];
  // Of one that has just broken both are the same.
  if (down !== null && down < since) ages.push(t("link.down", { time: time(down) }));
  const line = el(
    "p",
    "",
    el("span", "dot"),
    el("span", "", `${t("led.link")} ${t(`link.${state}`)}`),
    el("span", "muted", ages.join(" · ")),
  );
  line.dataset.state = state;
  return line;
}

/**
 * Whether the device proves what it says, and what to do about it.
 * @param {NonNullable<Actuator["trust"]>} word
 * @param {Translate} t
 */
function trust(word, t) {
  const line = el(
    "p",
    "small",
    el("span", "badge", t(`trust.${word}`)),
    el("span", "muted", t(`trust.${word}.next`)),
  );
  line.dataset.trust = word;
  return line;
}
