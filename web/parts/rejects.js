/** The account of everything that arrived, and what was no reading, each with its reason. */

import { rejects } from "./api.js";
import { byId, el, setShown } from "./dom.js";
import { rejectReason } from "./events.js";
import { number, plain, stamp } from "./format.js";

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
    loaded = counts.rejected;
    try {
      rows = (await rejects(ROWS)).rejects;
    } catch {
      // The next count asks again; the page says elsewhere that the gateway is away.
      loaded = -1;
    }
    relist();
  }

  function relist() {
    list.replaceChildren(...rows.map((reject) => makeRow(page, reject)));
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
