/** Where readings are kept: how many, and whether the other database has all of them. */

import { storage } from "./api.js";
import { byId, setShown, setText } from "./dom.js";
import { age, number, plain } from "./format.js";
import { single } from "./single.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Storage} Storage */

const PERIOD_MILLIS = 5_000;

/** @param {Page} page */
export function createStorage(page) {
  const line = byId("storage");
  /** @type {Storage | null} */
  let kept = null;

  /** Asks only while somebody looks. */
  const load = single(async () => {
    if (document.visibilityState !== "visible") return;
    try {
      kept = await storage();
    } catch {
      // The page says elsewhere that the gateway is away; the last picture stays.
      return;
    }
    render();
  });

  function render() {
    if (kept === null) return;
    const { t, language } = page;
    const { readings, journal_len: length, database } = kept;
    const megabytes = number(length / 1_000_000, language, 1, 1);
    setText(
      byId("storage-journal"),
      t("storage.journal", { count: number(readings, language), megabytes }),
    );
    setShown(byId("storage-database"), database !== null);
    line.dataset.state = database?.state ?? "alone";
    if (database !== null) setText(byId("storage-database"), databaseText(page, database));
  }

  setInterval(() => void load(), PERIOD_MILLIS);
  void load();
  return { load, render };
}

/**
 * @param {Page} page
 * @param {NonNullable<Storage["database"]>} database
 */
function databaseText(page, database) {
  const { t, language } = page;
  if (database.state === "starting") return t("storage.starting");
  const count = number(database.backlog, language);
  const waited = age(database.backlog_age_micros / 1_000, t);
  if (database.state === "away") {
    return t("storage.away", { count, age: waited, reason: plain(database.reason) });
  }
  if (database.backlog === 0) return t("storage.all");
  return t("storage.behind", {
    count,
    age: waited,
    rate: number(Math.round(database.rows_per_second), language),
  });
}
