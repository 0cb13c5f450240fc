/**
 * The dialog in which rules are written: looked at while they are, tried on the history, saved, and
 * rolled back.
 *
 * What was written and not saved stays as long as the page does, also when the dialog is closed.
 */

import * as api from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { plain, stamp } from "./format.js";
import { firstLine, rangeOf, wordAt } from "./places.js";
import { createReplay } from "./replay.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./i18n.js").Key} Key */
/** @typedef {import("../wire.d.ts").Rules} Rules */
/** @typedef {import("../wire.d.ts").RuleSet} RuleSet */
/** @typedef {import("../wire.d.ts").RuleMistake} RuleMistake */

/** So long nobody types before the text is looked at. */
const PAUSE_MILLIS = 300;
const VERSIONS_LEN = 20;
/** An error is a sentence with its next step: longer than a name. */
const ERROR_LEN_MAX = 1_000;

/** @param {Page} page */
export function createEdit(page) {
  /** @type {HTMLDialogElement} */
  const dialog = byId("edit");
  /** @type {HTMLTextAreaElement} */
  const field = byId("edit-text");
  /** @type {HTMLSelectElement} */
  const since = byId("edit-since");
  const replay = createReplay(page);
  /** What ran when the text was taken over; null: nothing yet. @type {RuleSet | null} */
  let base = null;
  /** What runs now. @type {RuleSet | null} */
  let current = null;
  /** The tag of what runs now. @type {string | null} */
  let tag = null;
  /** The tag of what the person knows to run: only those rules are replaced. @type {string | null} */
  let seen = null;
  /** Where the older versions go on; null: there are none. @type {number | null} */
  let older = null;
  /** @type {HTMLButtonElement} */
  const more = byId("edit-versions-more");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let checking = new AbortController();
  let isChanging = false;

  byId("edit-close").addEventListener("click", () => dialog.close());
  byId("edit-replay").addEventListener("click", play);
  byId("edit-save").addEventListener("click", save);
  byId("edit-reset").addEventListener("click", () => take(current));
  more.addEventListener("click", listOlder);
  dialog.addEventListener("close", () => {
    replay.stop();
    checking.abort();
    clearTimeout(timer);
  });
  field.addEventListener("input", () => {
    showDirty();
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE_MILLIS);
  });

  function open() {
    replay.clear();
    say("");
    if (!isDirty()) take(current);
    showDirty();
    dialog.showModal();
    field.focus();
    void check();
    void listVersions();
  }

  /**
   * Other rules run. A text that nobody has changed follows.
   * @param {Rules & {tag: string | null}} rules
   */
  function follow({ version, tag: its }) {
    const isOther = version?.version !== current?.version;
    const wasDirty = isDirty();
    [current, tag] = [version, its];
    if (!wasDirty) {
      seen = its;
      if (isOther) take(version);
    }
    showDirty();
    if (isOther && dialog.open) void listVersions();
  }

  function isDirty() {
    return base !== null && field.value !== asShown(base.text);
  }

  /**
   * Takes over the text of a version.
   * @param {RuleSet | null} version
   */
  function take(version) {
    if (version === null) return;
    base = version;
    seen = tag;
    field.value = version.text;
    showDirty();
    if (dialog.open) void check();
  }

  function showDirty() {
    const mine = isDirty();
    setShown(byId("edit-reset"), mine);
    const isBehind = mine && current !== null && current.version !== base?.version;
    const text = isBehind ? page.t("edit.newer", { version: current?.version ?? 0 }) : "";
    setText(byId("edit-newer"), text);
    // Looking at another version would lose it.
    /** @type {NodeListOf<HTMLButtonElement>} */
    const looks = dialog.querySelectorAll(".look");
    for (const look of looks) look.disabled = mine;
  }

  async function check() {
    clearTimeout(timer);
    checking.abort();
    checking = new AbortController();
    const { signal } = checking;
    const text = field.value;
    try {
      await api.checkRules(text, signal);
      showMistakes([]);
    } catch (error) {
      if (signal.aborted) return;
      if (!showRefusal(error, text)) {
        byId("edit-mistakes").replaceChildren();
        note("edit-check", page.t("edit.failed", { reason: reasonOf(error) }), true);
      }
    }
  }

  /**
   * Mistakes of a text that has changed meanwhile have no place any more.
   * @param {unknown} error
   * @param {string} text what was asked about
   * @returns {boolean} whether it is about the text
   */
  function showRefusal(error, text) {
    if (!(error instanceof api.Refusal) || error.mistakes.length === 0) return false;
    if (field.value === text) showMistakes(error.mistakes);
    return true;
  }

  /** @param {RuleMistake[]} mistakes */
  function showMistakes(mistakes) {
    const { t } = page;
    const count = mistakes.length;
    const isBad = count > 0;
    note("edit-check", isBad ? t("edit.wrong", { count }) : t("edit.right"), isBad);
    field.setAttribute("aria-invalid", String(isBad));
    byId("edit-mistakes").replaceChildren(...mistakes.map(makeMistake));
  }

  /** @param {RuleMistake} mistake */
  function makeMistake({ place, message }) {
    const text = el("span", "foreign", plain(message, ERROR_LEN_MAX));
    if (place === null) return el("li", "", text);
    const { line, column } = place;
    const word = plain(wordAt(field.value, place));
    const where = el("span", "small", page.t("edit.place", { line, column }));
    const button = el("button", "mistake", where, el("code", "foreign", word), text);
    button.type = "button";
    button.addEventListener("click", () => {
      field.focus();
      field.setSelectionRange(...rangeOf(field.value, place));
      const lineHeight = field.scrollHeight / Math.max(1, field.value.split("\n").length);
      field.scrollTop = lineHeight * firstLine(place, field.clientHeight / lineHeight);
    });
    return el("li", "", button);
  }

  async function play() {
    say("");
    const text = field.value;
    try {
      const isDone = await replay.play(text, since.value);
      if (!isDone && dialog.open) say(page.t("replay.stopped"));
    } catch (error) {
      if (!showRefusal(error, text)) fail("replay.failed", error);
    }
  }

  async function save() {
    const text = field.value;
    const isStill = () => field.value === text;
    await change("edit.saved.not", isStill, async () => {
      const version = await api.applyRules(text, seen);
      return page.t("edit.saved", { version });
    });
  }

  /** @param {number} old */
  async function rollBack(old) {
    // What was written and not saved stays.
    await change(
      "edit.back.not",
      () => !isDirty(),
      async () => {
        const version = await api.rollBack(old);
        return page.t("edit.back.done", { version, old });
      },
    );
  }

  /**
   * One change at a time: a second press before the answer would ask for the same again.
   * @param {"edit.saved.not" | "edit.back.not"} failure
   * @param {() => boolean} isTaken whether the text that runs then takes the place of the one in the field
   * @param {() => Promise<string>} ask gives what is said when it is done
   */
  async function change(failure, isTaken, ask) {
    // Who looks at the past does not mean the present.
    if (isChanging || page.isReplay) return;
    isChanging = true;
    const text = field.value;
    try {
      const done = await ask();
      await refresh(isTaken);
      seen = tag;
      say(done);
    } catch (error) {
      if (error instanceof api.Refusal && error.status === 412) await warn();
      else if (!showRefusal(error, text)) fail(failure, error);
    } finally {
      isChanging = false;
    }
  }

  /** Somebody else has saved. What is written here stays; whoever saves again knows what it replaces. */
  async function warn() {
    await refresh(() => false);
    seen = tag;
    const { t, language } = page;
    const [version, source] = [current?.version ?? 0, plain(current?.source ?? "")];
    const time = stamp(current?.applied_at_micros ?? 0, language);
    note("edit-outcome", t("edit.conflict", { version, source, time }), true);
  }

  /** @param {() => boolean} isTaken */
  async function refresh(isTaken) {
    try {
      ({ version: current, tag } = await api.rules());
    } catch {
      // The panel says that the rules cannot be read; what was asked for is done all the same.
      return;
    }
    if (isTaken()) take(current);
    showDirty();
    await listVersions();
  }

  async function listVersions() {
    try {
      const { versions, next } = await api.ruleVersions(VERSIONS_LEN, null);
      byId("edit-versions").replaceChildren(...versions.map(makeVersion));
      showOlder(next);
    } catch (error) {
      fail("rules.failed", error);
    }
  }

  async function listOlder() {
    const after = older;
    more.disabled = true;
    try {
      const { versions, next } = await api.ruleVersions(VERSIONS_LEN, after);
      // A newer one may have begun the list anew meanwhile.
      if (after === older) {
        byId("edit-versions").append(...versions.map((set) => makeVersion(set, 1)));
        showOlder(next);
      }
    } catch (error) {
      fail("rules.failed", error);
    } finally {
      more.disabled = false;
    }
  }

  /** @param {number | null} next */
  function showOlder(next) {
    older = next;
    setText(more, page.t("edit.versions.more"));
    setShown(more, next !== null);
    showDirty();
  }

  /**
   * @param {RuleSet} set
   * @param {number} index
   */
  function makeVersion(set, index) {
    const { t, language } = page;
    const { version } = set;
    const row = el(
      "li",
      "",
      el("strong", "", t("edit.version", { version })),
      el("span", "small", stamp(set.applied_at_micros, language)),
      el("span", "small foreign", plain(set.source)),
    );
    const look = el("button", "look", t("edit.load"));
    look.type = "button";
    look.addEventListener("click", () => {
      take(set);
      field.focus();
    });
    const back = el("button", "", t("edit.back"));
    back.type = "button";
    back.addEventListener("click", () => rollBack(version));
    for (const button of [look, back]) {
      button.setAttribute("aria-label", `${button.textContent}: ${t("edit.version", { version })}`);
    }
    const end = index === 0 ? [el("span", "badge", t("edit.runs"))] : [look, back];
    row.append(el("span", "version-end", ...end));
    row.dataset.version = String(version);
    return row;
  }

  /** @param {string} text */
  function say(text) {
    note("edit-outcome", text, false);
  }

  /**
   * @param {Key} key
   * @param {unknown} error
   */
  function fail(key, error) {
    note("edit-outcome", page.t(key, { reason: reasonOf(error) }), true);
  }

  return { open, follow, isDirty };
}

/** What a text field makes of line ends. @param {string} text */
function asShown(text) {
  return text.replace(/\r\n?/g, "\n");
}

/**
 * @param {"edit-check" | "edit-outcome"} place
 * @param {string} text
 * @param {boolean} isBad
 */
function note(place, text, isBad) {
  byId(place).classList.toggle("is-bad", isBad);
  setText(byId(place), text);
}

/** @param {unknown} error */
function reasonOf(error) {
  return plain(error instanceof Error ? error.message : String(error), ERROR_LEN_MAX);
}
