/**
 * "Why?": the dialog behind an LED. It tells how the actuator came to be as it is, and takes what a
 * person says by hand.
 *
 * It follows what happens while it is open. The ledger is written right after the live socket has
 * spoken, so it is asked again a few times where it does not know yet.
 */

import { why as loadWhy, setLed } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { plain, stamp } from "./format.js";
import { judge } from "./leds.js";
import { isBehind, story } from "./story.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./story.js").Step} Step */
/** @typedef {import("../wire.d.ts").Why} Why */

const MINUTES = 10;
const WISHES = /** @type {const} */ (["on", "off", "auto"]);
/** An error is a sentence with its next step: longer than a name. */
const ERROR_LEN_MAX = 600;
const BEHIND_MILLIS = 300;
const BEHIND_TRIES = 10;

/**
 * @param {Page} page
 * @param {(name: string) => void} onClosed gives the focus back
 */
export function createWhy(page, onClosed) {
  /** @type {HTMLDialogElement} */
  const dialog = byId("why");
  /** The actuator that is told about; empty: none. */
  let name = "";
  /** What was known of it when the ledger was last asked. */
  let news = "";
  /** Answers to older questions are not shown. */
  let asked = 0;
  let isSetting = false;

  byId("why-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    const closed = name;
    name = "";
    asked += 1;
    onClosed(closed);
  });
  for (const wish of WISHES) byId(`why-set-${wish}`).addEventListener("click", () => set(wish));

  /** @param {string} actuator */
  function open(actuator) {
    const { t } = page;
    name = actuator;
    for (const wish of WISHES) {
      setText(byId(`why-set-${wish}`), t(`why.set.${wish}`, { minutes: MINUTES }));
    }
    say("why-outcome", "");
    say("why-summary", t("why.loading"));
    byId("why-steps").replaceChildren();
    // The past cannot be changed, and the present is not shown.
    setShown(byId("why-set"), !page.isReplay);
    news = newsOf();
    showTitle();
    dialog.showModal();
    void load();
  }

  /**
   * Asks the ledger again where something has happened to the actuator.
   * @param {boolean} anew the connection is: nobody knows what has happened
   */
  function follow(anew) {
    if (name === "") return;
    const found = newsOf();
    if (found === news && !anew) return;
    news = found;
    showTitle();
    void load();
  }

  /** @param {number} [tries] that are left while the ledger is behind */
  async function load(tries = BEHIND_TRIES) {
    asked += 1;
    const question = asked;
    /** @type {Why | null} */
    let answer;
    try {
      answer = await loadWhy(name, page.isReplay ? page.nowMillis() / 1_000 : null);
    } catch (error) {
      if (question !== asked) return;
      fail("why-summary", "why.failed", error);
      return;
    }
    if (question !== asked) return;
    show(answer);
    const actuator = page.model.actuators.get(name);
    if (tries === 0 || actuator === undefined || !isBehind(answer, actuator)) return;
    setTimeout(() => {
      if (question === asked) void load(tries - 1);
    }, BEHIND_MILLIS);
  }

  /** @param {Why | null} why */
  function show(why) {
    const { t, language } = page;
    if (why === null) {
      say("why-summary", t("why.none"));
      byId("why-steps").replaceChildren();
      return;
    }
    const { led, number, decided_at_micros: decided } = why.command;
    const time = stamp(decided, language);
    say("why-summary", t("why.summary", { state: t(`led.${led}`), time, number }));
    byId("why-steps").replaceChildren(
      ...story(why, t, language).map((step) => makeStep(page, step)),
    );
  }

  function showTitle() {
    const { t } = page;
    const actuator = page.model.actuators.get(name);
    const lamp = actuator === undefined ? "unknown" : judge(actuator, t).lamp;
    setText(byId("why-title"), t("why.title", { name: plain(name), state: t(`led.${lamp}`) }));
  }

  /** What the live socket has said about the actuator's commands. */
  function newsOf() {
    const { actuators, log } = page.model;
    const { desired, sent, reported } = actuators.get(name) ?? {};
    const refused = log.findLast(
      ({ event }) => event.kind === "refused" && event.actuator === name,
    );
    const numbers = [desired, sent, reported].map((state) => state?.number ?? null);
    return JSON.stringify([...numbers, reported?.led ?? null, refused?.id ?? null]);
  }

  /** @param {(typeof WISHES)[number]} wish */
  async function set(wish) {
    // A second press before the answer would ask for the same again.
    if (isSetting) return;
    isSetting = true;
    const actuator = name;
    try {
      await setLed(actuator, wish, wish === "auto" ? undefined : MINUTES * 60);
      if (name === actuator) {
        say("why-outcome", page.t(`why.did.${wish}`, { minutes: MINUTES }));
        void load();
      }
    } catch (error) {
      if (name === actuator) fail("why-outcome", "why.did.not", error);
    } finally {
      isSetting = false;
    }
  }

  /**
   * @param {"why-summary" | "why-outcome"} place
   * @param {string} text
   * @param {boolean} [isBad]
   */
  function say(place, text, isBad = false) {
    byId(place).classList.toggle("is-bad", isBad);
    setText(byId(place), text);
  }

  /**
   * @param {"why-summary" | "why-outcome"} place
   * @param {"why.failed" | "why.did.not"} key
   * @param {unknown} error
   */
  function fail(place, key, error) {
    const reason = plain(error instanceof Error ? error.message : String(error), ERROR_LEN_MAX);
    say(place, page.t(key, { reason }), true);
  }

  return { open, follow };
}

/**
 * @param {Page} page
 * @param {Step} step
 */
function makeStep(page, step) {
  const told = el("div", "told foreign");
  if (step.text !== "") told.append(el("p", "", step.text));
  if (step.condition !== "") told.append(el("code", "", step.condition));
  for (const detail of step.details) told.append(el("p", "small", detail));
  const when = el("p", "small when");
  when.append(el("time", "", step.time));
  if (step.span !== "") when.append(el("br", ""), step.span);
  const row = el("li", "", el("h3", "", page.t(`why.${step.name}`)), told);
  if (step.time !== "") row.append(when);
  row.dataset.step = step.name;
  row.dataset.state = step.state;
  return row;
}
