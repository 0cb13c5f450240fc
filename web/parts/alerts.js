/** What rules had to say to others, and whether it was taken; newest first, loaded while somebody looks. */

import { alerts } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { plain, stamp } from "./format.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Alert} Alert */

const ROWS = 20;
const ERROR_LEN_MAX = 600;

/** @param {Page} page */
export function createAlerts(page) {
  /** @type {HTMLDetailsElement} */
  const panel = byId("alerts");
  const list = byId("alerts-list");
  /** @type {HTMLButtonElement} */
  const more = byId("alerts-more");
  /** @type {Alert[]} */
  let rows = [];
  /** Where the older ones go on; null: there are none. @type {number | null} */
  let next = null;
  /** Answers to older questions are not shown. */
  let asked = 0;
  let note = "";
  /** The newest line of the log that told of an alert. */
  let told = -1;

  panel.addEventListener("toggle", () => void load(null));
  more.addEventListener("click", () => void load(next));

  /** @param {number | null} after null: the newest */
  async function load(after) {
    if (!panel.open) return;
    asked += 1;
    const question = asked;
    more.disabled = true;
    try {
      const found = await alerts(ROWS, after);
      if (question !== asked) return;
      rows = after === null ? found.alerts : [...rows, ...found.alerts];
      next = found.next;
      note = rows.length === 0 ? page.t("alerts.none") : "";
    } catch (error) {
      if (question !== asked) return;
      const reason = plain(error instanceof Error ? error.message : String(error), ERROR_LEN_MAX);
      note = page.t("alerts.failed", { reason });
    } finally {
      more.disabled = false;
    }
    render();
  }

  /** Asks again where the log tells of an alert, and where nobody knows what has happened. @param {boolean} anew */
  function follow(anew) {
    const newest = page.model.log.findLast(({ event }) => event.kind.startsWith("alert_"))?.id;
    if (!anew && (newest === undefined || newest === told)) return;
    told = newest ?? told;
    void load(null);
  }

  function render() {
    setText(byId("alerts-note"), note);
    setText(more, page.t("alerts.more"));
    setShown(more, next !== null);
    list.replaceChildren(...rows.map((alert) => makeRow(page, alert)));
  }

  return { follow, render };
}

/**
 * @param {Page} page
 * @param {Alert} alert
 */
function makeRow(page, alert) {
  const { t, language } = page;
  const [rule, target] = [plain(alert.rule), plain(alert.target)];
  const row = el(
    "li",
    "",
    el("strong", "foreign", t("alerts.line", { rule, state: t(`led.${alert.led}`), target })),
    el("code", "foreign", plain(alert.body_head, 80)),
    el("p", "small foreign", `${stamp(alert.raised_at_micros, language)} · ${fate(page, alert)}`),
  );
  row.dataset.id = String(alert.id);
  return row;
}

/**
 * What has become of it.
 * @param {Page} page
 * @param {Alert} alert
 */
function fate({ t, language }, { delivered_at_micros, given_up_at_micros, tries, last_error }) {
  const reason = plain(last_error ?? "");
  if (delivered_at_micros !== null) {
    return t("alerts.delivered", { time: stamp(delivered_at_micros, language) });
  }
  if (given_up_at_micros !== null) return t("alerts.given_up", { reason });
  return tries === 0 ? t("alerts.new") : t("alerts.waits", { count: tries, reason });
}
