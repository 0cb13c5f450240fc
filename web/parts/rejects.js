/** The account of everything that arrived, and what was no reading, each with its reason. */

import { rejects } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { en } from "./en.js";
import { rejectReason } from "./events.js";
import { choices } from "./filter.js";
import { number, plain, stamp } from "./format.js";
import { single } from "./single.js";
import { fromField } from "./times.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Reject} Reject */

const ROWS = 20;
const NAMES = /** @type {const} */ ([
  "received",
  "stored",
  "duplicate",
  "rejected",
  "in_flight",
  "ignored",
]);

/** @param {Page} page */
export function createRejects(page) {
  const list = byId("rejects");
  /** @type {Reject[]} */
  let rows = [];
  /** The count that the rows belong to. */
  let loaded = -1;
  /** Answers to older questions are not shown. */
  let asked = 0;
  let failure = "";
  /** Where the older ones go on; null: there are none. */
  /** @type {number | null} */
  let next = null;
  /** @type {HTMLButtonElement} */
  const more = byId("rejects-more");
  more.addEventListener("click", () => void loadMore());
  /** @type {HTMLFormElement} */
  const form = byId("rejects-filters");
  /** @type {HTMLSelectElement} */
  const device = byId("rejects-device");
  /** @type {HTMLSelectElement} */
  const code = byId("rejects-code");
  const [topic, from, until] = ["topic", "from", "until"].map((name) => {
    /** @type {HTMLInputElement} */
    const input = byId(`rejects-${name}`);
    return input;
  });
  device.addEventListener("focus", offer);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => void load());
  // The fields are empty when this event is over.
  form.addEventListener("reset", () => setTimeout(() => void load()));

  function filter() {
    const end = fromField(until?.value ?? "");
    return {
      device: device.value || null,
      topic: topic?.value || null,
      code: code.value || null,
      from: fromField(from?.value ?? ""),
      // The second that is named belongs to the span.
      until: end === null ? null : end + 1e6,
    };
  }

  const isNarrowed = () => Object.values(filter()).some((value) => value !== null);

  /** Shows the account, and loads the rejects where it says that there are others now. */
  async function render() {
    const { counts } = page.model;
    if (counts === null) return;
    byId("account").replaceChildren(
      ...NAMES.filter((name) => name !== "ignored" || counts.ignored > 0).map((name) => {
        const pair = el(
          "div",
          name === "rejected" && counts.rejected > 0 ? "is-bad" : "",
          el("dt", "", page.t(`account.${name}`)),
          el("dd", "", number(counts[name], page.language)),
        );
        pair.dataset.count = name;
        return pair;
      }),
    );
    setShown(byId("rejects-none"), counts.rejected === 0);
    if (counts.rejected === loaded) return;
    if (loaded <= 0) offer();
    setShown(form, counts.rejected > 0);
    await load();
  }

  /** Offers what is known by now, and keeps what is chosen. */
  function offer() {
    const { t, model } = page;
    const names = new Set([...model.series.values()].map(({ latest }) => latest.device));
    choices(
      device,
      t("history.all"),
      [...names].map((name) => [name, plain(name, 60)]),
    );
    const codes = Object.keys(en).filter((key) => key.startsWith("reject."));
    choices(
      code,
      t("history.all"),
      codes.map((key) => {
        const word = key.slice("reject.".length);
        return [word, rejectReason(word, word, t)];
      }),
    );
  }

  const load = single(async () => {
    loaded = page.model.counts?.rejected ?? -1;
    asked += 1;
    const question = asked;
    try {
      const found = await rejects({ ...filter(), limit: ROWS, after: null });
      if (question !== asked) return;
      ({ rejects: rows, next } = found);
      failure = "";
    } catch (error) {
      if (question !== asked) return;
      // The next count asks again.
      loaded = -1;
      failure = plain(error instanceof Error ? error.message : String(error), 600);
    }
    relist();
  });

  async function loadMore() {
    if (next === null) return;
    const [after, question] = [next, asked];
    more.disabled = true;
    try {
      const older = await rejects({ ...filter(), limit: ROWS, after });
      // Newer ones, or another filter, may have begun the list anew meanwhile.
      if (next !== after || question !== asked) return;
      rows.push(...older.rejects);
      next = older.next;
      list.append(...older.rejects.map((reject) => makeRow(page, reject)));
    } catch {
      // Another press asks again; the page says elsewhere that the gateway is away.
    } finally {
      more.disabled = false;
      setShown(more, next !== null);
    }
  }

  function relist() {
    list.replaceChildren(...rows.map((reject) => makeRow(page, reject)));
    setShown(more, next !== null);
    setText(more, page.t("rejects.more"));
    const { t } = page;
    const nothing = rows.length === 0 && isNarrowed() ? t("rejects.nothing") : "";
    const text = failure === "" ? nothing : t("rejects.failed", { reason: failure });
    setText(byId("rejects-notice"), text);
  }

  function relabel() {
    offer();
    void render();
    relist();
  }

  return { render, relabel };
}

/**
 * @param {Page} page
 * @param {Reject} reject
 */
function makeRow(page, reject) {
  const { t, language } = page;
  const head = plain(reject.payload_head, 80);
  const isCut = reject.payload_len > 256;
  const size = isCut
    ? ` … ${t("rejects.bytes", { count: number(reject.payload_len, language) })}`
    : "";
  const row = el(
    "li",
    "",
    el("strong", "", rejectReason(reject.code, reject.reason, t)),
    el("code", "foreign", head === "" ? t("rejects.empty") : `${head}${size}`),
    el("p", "small foreign", `${plain(reject.topic, 80)} · ${stamp(reject.at_micros, language)}`),
  );
  row.dataset.code = reject.code;
  return row;
}
