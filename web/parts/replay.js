/** "What would these rules have done?": runs the comparison and shows it as two bands per actuator. */

import { replayRules } from "./api.js";
import { drawBand, onSpan } from "./bands.js";
import { cause } from "./cause.js";
import { byId, el, setShown, setText } from "./dom.js";
import { number, plain, stamp } from "./format.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Comparison} Comparison */
/** @typedef {import("../wire.d.ts").ComparedActuator} ComparedActuator */
/** @typedef {import("../wire.d.ts").CommandDifference} CommandDifference */

const SIDES = /** @type {const} */ (["old", "new"]);

/** @param {Page} page */
export function createReplay(page) {
  /** @type {AbortController | null} */
  let running = null;

  byId("replay-stop").addEventListener("click", stop);

  /** Ends what runs; nothing happens where nothing does. */
  function stop() {
    running?.abort();
  }

  /**
   * @param {string} text
   * @param {string} since
   * @returns {Promise<boolean>} whether it came to an end; false: it was stopped
   */
  async function play(text, since) {
    stop();
    const mine = new AbortController();
    running = mine;
    clear();
    /** @type {HTMLProgressElement} */
    const bar = byId("replay-progress");
    bar.removeAttribute("value");
    setShown(byId("replay-running"), true);
    try {
      const found = await replayRules(text, since, mine.signal, ({ done, of }) => {
        if (running === mine && of > 0) bar.value = done / of;
      });
      if (running === mine) show(found);
    } catch (error) {
      if (mine.signal.aborted) return false;
      throw error;
    } finally {
      if (running === mine) {
        running = null;
        setShown(byId("replay-running"), false);
      }
    }
    return true;
  }

  function clear() {
    setShown(byId("replay"), false);
  }

  /** @param {Comparison} found */
  function show(found) {
    const { t, language } = page;
    const { only_old: old, only_new: fresh, differences } = found;
    setText(
      byId("replay-summary"),
      t("replay.done", {
        readings: number(found.readings, language),
        from: stamp(found.from_micros, language),
        until: stamp(found.until_micros, language),
        seconds: number(found.seconds, language, 0, 2),
      }),
    );
    const bands = found.actuators.map((actuator) => makeBands(page, actuator));
    const ends = [found.from_micros, found.until_micros].map((end) => stamp(end, language));
    const axis = el("p", "band-ends small", ...ends.map((end) => el("time", "", end)));
    byId("replay-bands").replaceChildren(...bands, ...(bands.length === 0 ? [] : [axis]));
    const differ =
      bands.length === 0
        ? t("replay.none")
        : old + fresh === 0
          ? t("replay.same")
          : t("replay.differ", { old, new: fresh });
    setText(byId("replay-differ"), differ);
    const rows = differences.map((difference) => makeDifference(page, difference));
    const more = old + fresh - differences.length;
    if (more > 0) rows.push(el("li", "muted", t("replay.more", { count: more })));
    byId("replay-differences").replaceChildren(...rows);
    setShown(byId("replay-differences"), rows.length > 0);
    const names = found.not_compared.map((name) => plain(name)).join(", ");
    setText(byId("replay-rest"), names === "" ? "" : t("replay.rest", { names }));
    setShown(byId("replay"), true);
  }

  return { play, stop, clear };
}

/**
 * @param {Page} page
 * @param {ComparedActuator} actuator
 */
function makeBands(page, actuator) {
  const { t, language } = page;
  const name = plain(actuator.name);
  const place = el("div", "bands-of", el("h4", "foreign", name));
  for (const side of SIDES) {
    const band = actuator[side];
    const totals = {
      switches: number(band.switches, language),
      span: onSpan(band.on_seconds, t, language),
    };
    const row = el(
      "div",
      "band-row",
      el("span", "side", t(`replay.${side}`)),
      drawBand(band, t(`replay.band.${side}`, { name, ...totals })),
      el("span", "small", t("replay.totals", totals)),
    );
    row.dataset.side = side;
    place.append(row);
  }
  return place;
}

/**
 * @param {Page} page
 * @param {CommandDifference} difference
 */
function makeDifference(page, difference) {
  const { t, language } = page;
  const actuator = plain(difference.actuator);
  const what = t("replay.difference", { actuator, state: t(`led.${difference.led}`) });
  const rule = plain(difference.rule);
  const because = t("replay.because", { rule, cause: cause(difference.cause, t, language, 1_000) });
  const row = el(
    "li",
    "",
    el("span", "side", t(`replay.${difference.only}`)),
    el("time", "", stamp(difference.at_micros, language)),
    el("span", "foreign", what),
    el("p", "small foreign", because),
  );
  row.dataset.side = difference.only;
  return row;
}
