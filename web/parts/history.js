/**
 * The history: twenty rows at a time, until there are no more, and then it says so. Who scrolls to the
 * end gets the next ones by themselves.
 */

import { readings } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { createFilter } from "./filter.js";
import { converted, measured, number, plain, stamp } from "./format.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Reading} Reading */

const ROWS = 20;
/** Rows that are kept; where there are more the first go. */
const ROWS_MAX = 2_000;
/** How near the end the next rows are asked for. */
const NEAR_PIXELS = 120;

/** @param {Page} page */
export function createHistory(page) {
  const body = byId("history-rows");
  const scroll = byId("history-scroll");
  /** @type {HTMLButtonElement} */
  const more = byId("history-more");
  const refresh = byId("history-refresh");
  /** @type {Reading[]} */
  let rows = [];
  /** Rows that were shown and are not kept. */
  let dropped = 0;
  /** @type {string | null} */
  let next = null;
  let generation = 0;
  let fresh = 0;
  /** @type {"idle" | "loading" | "end" | "failed"} */
  let state = "idle";
  let reason = "";

  const filter = createFilter(page, () => void reset());
  more.addEventListener("click", () => void load());
  refresh.addEventListener("click", () => void reset());
  scroll.addEventListener("scroll", () => {
    const left = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;
    if (state === "idle" && left < NEAR_PIXELS) void load();
  });

  /** Begins again. */
  function reset() {
    rows = [];
    dropped = 0;
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
    try {
      const found = await readings({ ...filter.filter(), after: next, limit: ROWS });
      if (mine !== generation) return;
      rows.push(...found.readings);
      body.append(...found.readings.map((reading) => makeRow(page, reading)));
      const tooMany = Math.max(0, rows.length - ROWS_MAX);
      rows.splice(0, tooMany);
      for (let count = tooMany; count > 0; count -= 1) body.firstElementChild?.remove();
      dropped += tooMany;
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
    const { t, language } = page;
    setText(more, t(state === "loading" ? "history.loading" : "history.more"));
    more.disabled = state === "loading" || state === "end";
    setText(byId("history-notice"), noticeText());
    setShown(byId("history-count"), rows.length > 0);
    setText(byId("history-count"), t("history.rows", { count: rows.length + dropped }));
    setShown(byId("history-dropped"), dropped > 0);
    setText(byId("history-dropped"), t("history.dropped", { count: number(dropped, language) }));
    setText(refresh, fresh > 0 ? t("history.refresh.new", { count: fresh }) : t("history.refresh"));
  }

  function noticeText() {
    const { t } = page;
    if (state === "failed") return t("history.failed", { reason: plain(reason, 600) });
    if (state !== "end") return "";
    const { order: _, ...narrowed } = filter.filter();
    const isNarrowed = Object.values(narrowed).some((value) => value !== null);
    return t(rows.length === 0 && isNarrowed ? "history.nothing" : "history.end");
  }

  /** @param {readonly Reading[]} added */
  function note(added) {
    fresh += added.filter(filter.takes).length;
    // An empty table does not wait for somebody to press a button.
    if (fresh > 0 && rows.length === 0 && state === "end") void reset();
    else label();
  }

  function relabel() {
    filter.list();
    body.replaceChildren(...rows.map((reading) => makeRow(page, reading)));
    label();
  }

  /** Goes on where the gateway did not answer. */
  function resume() {
    if (state === "failed") void load();
  }

  return { reset, resume, note, listSeries: filter.list, relabel };
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
