/** The account of everything that arrived, and what was no reading, each with its reason. */

import { rejects } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { rejectReason } from "./events.js";
import { number, plain, stamp } from "./format.js";
import { single } from "./single.js";

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
  /** Where the older ones go on; null: there are none. */
  /** @type {number | null} */
  let next = null;
  /** @type {HTMLButtonElement} */
  const more = byId("rejects-more");
  more.addEventListener("click", () => void loadMore());

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
    if (counts.rejected !== loaded) await load();
  }

  const load = single(async () => {
    loaded = page.model.counts?.rejected ?? -1;
    try {
      ({ rejects: rows, next } = await rejects(ROWS));
    } catch {
      // The next count asks again; the page says elsewhere that the gateway is away.
      loaded = -1;
    }
    relist();
  });

  async function loadMore() {
    if (next === null) return;
    const after = next;
    more.disabled = true;
    try {
      const older = await rejects(ROWS, after);
      // Newer ones may have begun the list anew meanwhile.
      if (next !== after) return;
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
  }

  function relabel() {
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
