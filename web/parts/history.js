/** The history: twenty rows at a time, until there are no more, and then it says so. */

import { readings } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { converted, measured, plain, stamp } from "./format.js";
import { seriesKey } from "./state.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Reading} Reading */

const ROWS = 20;

/** @param {Page} page */
export function createHistory(page) {
  const body = byId("history-rows");
  /** @type {HTMLButtonElement} */
  const more = byId("history-more");
  const refresh = byId("history-refresh");
  /** @type {HTMLSelectElement} */
  const series = byId("history-series");
  /** @type {HTMLSelectElement} */
  const order = byId("history-order");
  /** @type {Reading[]} */
  let rows = [];
  /** @type {string | null} */
  let next = null;
  let generation = 0;
  let fresh = 0;
  /** @type {"idle" | "loading" | "end" | "failed"} */
  let state = "idle";
  let reason = "";

  more.addEventListener("click", () => void load());
  refresh.addEventListener("click", () => void reset());
  series.addEventListener("change", () => void reset());
  order.addEventListener("change", () => void reset());

  /** Begins again. */
  function reset() {
    rows = [];
    next = null;
    fresh = 0;
    body.replaceChildren();
    return load();
  }

  async function load() {
    generation += 1;
    const mine = generation;
    state = "loading";
    label();
    const chosen = page.model.series.get(series.value)?.latest;
    const query = {
      order: order.value === "asc" ? /** @type {const} */ ("asc") : /** @type {const} */ ("desc"),
      after: next,
      limit: ROWS,
      ...(chosen && { device: chosen.device, quantity: chosen.quantity }),
    };
    try {
      const found = await readings(query);
      if (mine !== generation) return;
      rows.push(...found.readings);
      body.append(...found.readings.map((reading) => makeRow(page, reading)));
      next = found.next;
      state = next === null ? "end" : "idle";
    } catch (error) {
      if (mine !== generation) return;
      state = "failed";
      reason = error instanceof Error ? error.message : String(error);
    }
    label();
  }

  function label() {
    const { t } = page;
    setText(more, t(state === "loading" ? "history.loading" : "history.more"));
    more.disabled = state === "loading" || state === "end";
    const notice =
      state === "end"
        ? t("history.end")
        : state === "failed"
          ? t("history.failed", { reason })
          : "";
    setText(byId("history-notice"), notice);
    setShown(byId("history-count"), rows.length > 0);
    setText(byId("history-count"), t("history.rows", { count: rows.length }));
    setText(refresh, fresh > 0 ? t("history.refresh.new", { count: fresh }) : t("history.refresh"));
  }

  /** @param {readonly Reading[]} added */
  function note(added) {
    fresh += added.filter(
      (reading) => series.value === "" || series.value === seriesKey(reading),
    ).length;
    // An empty table does not wait for somebody to press a button.
    if (fresh > 0 && rows.length === 0 && state === "end") void reset();
    else label();
  }

  function listSeries() {
    const chosen = series.value;
    const all = el("option", "", page.t("history.all"));
    all.value = "";
    const known = [...page.model.series.values()].map(({ key, latest }) => {
      const made = el("option", "", plain(`${latest.device} / ${latest.quantity}`, 60));
      made.value = key;
      return made;
    });
    series.replaceChildren(all, ...known);
    series.value = page.model.series.has(chosen) ? chosen : "";
  }

  function relabel() {
    listSeries();
    body.replaceChildren(...rows.map((reading) => makeRow(page, reading)));
    label();
  }

  return { reset, note, listSeries, relabel };
}

/**
 * @param {Page} page
 * @param {Reading} reading
 */
function makeRow(page, reading) {
  const { language } = page;
  const { celsius, fahrenheit } = reading;
  const time = el("time", "", stamp(reading.at_micros, language));
  time.dateTime = reading.at;
  const row = el(
    "tr",
    "",
    el("td", "", time),
    el("td", "wide foreign", plain(reading.device)),
    el("td", "foreign", plain(reading.quantity)),
    el("td", "num", measured(reading.value, reading.unit, language)),
    el("td", "num wide", celsius === null ? "" : converted(celsius, language)),
    el("td", "num", fahrenheit === null ? "" : converted(fahrenheit, language)),
    el("td", "num wide", String(reading.id)),
  );
  row.dataset.id = String(reading.id);
  return row;
}
