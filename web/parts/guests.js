/**
 * Who is at the broker: who tried to connect and was not let in, with a button that allows it; who is allowed, with
 * one that takes it back; and who has left, which cards of devices say.
 */

import { allowClient, clients, withdrawClient } from "./api.js";
import { byId, el, keepRows, setShown, setText } from "./dom.js";
import { moment, number, plain } from "./format.js";
import { isKey } from "./i18n.js";
import { single } from "./single.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Clients} Clients */
/** @typedef {import("../wire.d.ts").Refused} Refused */
/** @typedef {{row: HTMLElement, shown: HTMLElement, said: HTMLElement, button: HTMLButtonElement}} Line */

const PERIOD_MILLIS = 3_000;

/** @typedef {{micros: number, isAtLatest: boolean}} Away `isAtLatest`: nobody saw it, it may be longer */

/**
 * Since when those are away who publish on a topic; null where one is there, or nobody is known.
 *
 * A client that says goodbye after each reading is not away: only one whose connection was lost, or whose readings
 * are missed.
 * @param {Clients["clients"]} all
 * @param {string} topic
 * @param {boolean} isMissed
 * @returns {Away | null}
 */
export function awaySince(all, topic, isMissed) {
  /** @type {Away | null} */
  let since = null;
  for (const { topics, left_at_micros: left, lost, left_at_latest: isAtLatest } of all) {
    if (!topics.includes(topic)) continue;
    if (left === null) return null;
    if (!lost && !isMissed) continue;
    if (since === null || left > since.micros) since = { micros: left, isAtLatest };
  }
  return since;
}

/**
 * Whose line it is. Each connection has a port of its own: the computer is meant.
 * @param {Refused} refused
 */
export function refusedKey({ name, address, reason }) {
  return JSON.stringify([name, address?.replace(/:\d+$/, "") ?? null, reason]);
}

/**
 * @param {Page} page
 * @param {() => boolean} isOpen whether the gateway is heard
 * @param {() => void} onChange
 */
export function createGuests(page, isOpen, onChange) {
  const place = byId("guests");
  const refusedList = byId("guests-refused");
  const allowedList = byId("guests-allowed");
  /** @type {Map<string, Line>} */
  const refusedRows = new Map();
  /** @type {Map<string, Line>} */
  const allowedRows = new Map();
  /** @type {Clients | null} */
  let known = null;
  let drawn = "";
  let outcome = "";

  /** Asks only while somebody looks. */
  const load = single(async () => {
    if (document.visibilityState !== "visible" || !isOpen()) return;
    try {
      known = await clients();
    } catch {
      // The socket tells when the gateway is away; the last picture stays.
      return;
    }
    render();
    onChange();
  });

  /**
   * @param {() => Promise<void>} work
   * @param {string} done
   */
  async function say(work, done) {
    // Who looks at the past does not mean the present.
    if (page.isReplay) return;
    try {
      await work();
      outcome = done;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      outcome = page.t("guests.failed", { reason });
    }
    await load();
    render();
    // The button is gone with its line; what has come of it is here.
    byId("guests-title").focus();
  }

  function render() {
    const { t, language } = page;
    setText(byId("guests-outcome"), outcome);
    if (known === null) return;
    const { admission, refused, allowed } = known;
    const now = JSON.stringify([language, admission, refused, allowed]);
    if (now === drawn) return;
    drawn = now;
    setShown(place, admission !== "external");
    const key = admission === "allowed" ? "guests.allowed" : "guests.everyone";
    setText(byId("guests-admission"), t(key));
    const badge = byId("guests-badge");
    setShown(badge, refused.length > 0);
    setText(badge, t("guests.badge", { count: number(refused.length, language) }));
    setShown(byId("guests-none"), refused.length === 0);
    showRefused(refused);
    setShown(byId("guests-allowed-title"), allowed.length > 0);
    showAllowed(allowed);
  }

  /**
   * @param {string} name
   * @param {("said" | "button")[]} more what it has beside the name
   * @param {() => void} onPress
   * @returns {Line}
   */
  function makeLine(name, more, onPress) {
    const shown = el("strong", "foreign");
    const said = el("span", "small foreign");
    const button = el("button", "");
    button.type = "button";
    button.addEventListener("click", onPress);
    const line = { row: el("li", "guest", shown), shown, said, button };
    line.row.append(...more.map((part) => line[part]));
    line.row.dataset.client = name;
    return line;
  }

  /** @param {readonly Refused[]} refused */
  function showRefused(refused) {
    const { t, language } = page;
    const of = new Map(refused.map((one) => [refusedKey(one), one]));
    keepRows(refusedList, refusedRows, [...of.keys()], (key) => {
      const { name = "", reason = "" } = of.get(key) ?? {};
      const isAllowable = reason === "not_allowed" && name !== "";
      return makeLine(name, isAllowable ? ["said", "button"] : ["said"], () => {
        const done = page.t("guests.did.allow", { name: plain(name) });
        void say(() => allowClient(name), done);
      });
    });
    for (const [key, { name, address, at_micros, count, reason }] of of) {
      const line = refusedRows.get(key);
      if (line === undefined) continue;
      const shown = plain(name);
      const why = `guests.${reason}`;
      const params = {
        address: address ?? "?",
        time: moment(at_micros, page.nowMillis(), language),
        count: number(count, language),
        reason: isKey(why) ? t(why) : plain(reason),
      };
      setText(line.shown, shown === "" ? t("guests.nameless") : shown);
      setText(line.said, t("guests.refused", params));
      setText(line.button, t("guests.allow"));
      line.button.setAttribute("aria-label", t("guests.allow.name", { name: shown }));
    }
  }

  /** @param {readonly string[]} allowed */
  function showAllowed(allowed) {
    const { t } = page;
    keepRows(allowedList, allowedRows, allowed, (name) =>
      makeLine(name, ["button"], () => {
        const done = page.t("guests.did.withdraw", { name: plain(name) });
        void say(() => withdrawClient(name), done);
      }),
    );
    for (const [name, line] of allowedRows) {
      const shown = plain(name);
      setText(line.shown, shown);
      setText(line.button, t("guests.withdraw"));
      line.button.setAttribute("aria-label", t("guests.withdraw.name", { name: shown }));
    }
  }

  setInterval(() => void load(), PERIOD_MILLIS);

  return {
    load,
    render,
    /**
     * @param {string} topic
     * @param {boolean} isMissed
     */
    awaySince: (topic, isMissed) => awaySince(known?.clients ?? [], topic, isMissed),
  };
}
