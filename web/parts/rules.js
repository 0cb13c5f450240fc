/**
 * The rules that run: what each looks at, when it switches, and what; how it is at this moment, and every time
 * that it waits for, counted down by the gateway's clock. Asked for while somebody looks, each second.
 */

import { rules as loadRules, ruleStates } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { plain, stamp } from "./format.js";
import { actuatorLine, stateText, timerLine } from "./timers.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Rule} Rule */
/** @typedef {import("../wire.d.ts").Rules} Rules */
/** @typedef {import("../wire.d.ts").RuleStates} RuleStates */
/** @typedef {import("../wire.d.ts").RuleState} RuleState */
/** @typedef {Rules & {tag: string | null}} TaggedRules */
/** @typedef {{row: HTMLElement, state: HTMLElement, timers: HTMLElement}} Row */

/** An expression is what a person asks for here: more of it than of a name. */
const EXPRESSION_LEN_MAX = 1_000;
/** How many rules are listed at first, and how many more at each press. */
const ROWS = 100;
/** The most that the gateway tells at a time. */
const ROWS_MAX = 1_000;
const PERIOD_MILLIS = 1_000;
/** Where there are many, each question costs more than a second is worth. */
const PERIOD_MILLIS_MANY = 5_000;

/**
 * @param {Page} page
 * @param {() => boolean} isOpen whether the gateway is heard
 * @param {() => void} onEdit
 * @param {(rules: TaggedRules) => void} onNews other rules run
 */
export function createRules(page, isOpen, onEdit, onNews) {
  /** @type {Rules | null} */
  let known = null;
  /** @type {RuleStates | null} */
  let states = null;
  /** @type {Row[]} in the order of the rules */
  let rows = [];
  let shown = ROWS;
  let failure = "";
  /** Answers to older questions are not shown. */
  let asked = 0;
  /** The line of the log that told of other rules last. */
  let told = -1;
  let stateAskedAt = 0;
  const more = byId("rules-more");

  byId("rules-edit").addEventListener("click", onEdit);
  more.addEventListener("click", () => {
    shown = Math.min(shown + ROWS, ROWS_MAX);
    render();
    void loadStates(true);
  });

  async function load() {
    asked += 1;
    const question = asked;
    try {
      const answer = await loadRules();
      if (question !== asked) return;
      known = answer;
      failure = "";
      if (!page.isReplay) page.model.rules = answer.rules;
      onNews(answer);
    } catch (error) {
      if (question !== asked) return;
      failure = error instanceof Error ? error.message : String(error);
    }
    render();
    void loadStates(true);
  }

  /** @param {boolean} [now] also before its time */
  async function loadStates(now = false) {
    if (document.visibilityState !== "visible" || page.isReplay || !isOpen()) return;
    const period = shown > ROWS ? PERIOD_MILLIS_MANY : PERIOD_MILLIS;
    const present = performance.now();
    if (!now && present - stateAskedAt < period) return;
    stateAskedAt = present;
    try {
      states = await ruleStates(shown);
    } catch {
      // The socket tells when the gateway is away; the last picture stays.
      return;
    }
    renderStates();
  }

  /**
   * Asks again where other rules run.
   * @param {boolean} anew the connection is: nobody knows what has happened
   */
  function follow(anew) {
    const { log } = page.model;
    const newest = log.findLast(({ event }) => event.kind === "rules_applied")?.id ?? told;
    if (newest === told && !anew) return;
    told = newest;
    if (page.isReplay) render();
    else void load();
  }

  function render() {
    const { t, language } = page;
    const version = (page.isReplay ? page.model.ruleSet : known?.version) ?? null;
    const rules = ofThePage();
    setText(
      byId("rules-version"),
      version === null
        ? ""
        : t("rules.version", {
            version: version.version,
            time: stamp(version.applied_at_micros, language),
            source: plain(version.source),
          }),
    );
    rows = rules.slice(0, shown).map((rule) => makeRule(page, rule));
    byId("rules-list").replaceChildren(...rows.map(({ row }) => row));
    setText(more, t("rules.more"));
    setShown(more, rules.length > shown && shown < ROWS_MAX);
    const note =
      failure === "" ? t("rules.none") : t("rules.failed", { reason: plain(failure, 600) });
    setText(byId("rules-note"), note);
    setShown(byId("rules-note"), failure !== "" || rules.length === 0);
    renderStates();
  }

  /** Those that run, or ran at the time that is shown. */
  function ofThePage() {
    const { model, isReplay } = page;
    return isReplay ? model.rules : (known?.rules ?? model.rules);
  }

  /** What is known of the present is nothing of the past, and nothing while nobody tells. */
  const isPresent = () => states !== null && !page.isReplay && isOpen();

  function renderStates() {
    const { t, model } = page;
    const now = page.nowMillis() + model.skewMillis;
    const rules = ofThePage();
    const found = isPresent() ? states : null;
    for (const [index, { row, state, timers }] of rows.entries()) {
      const rule = found?.rules[index];
      // Other rules run by now: they are asked for, and what is known is not theirs.
      const one = rule?.name === rules[index]?.name ? rule : undefined;
      row.dataset.state = one?.state ?? "";
      setShown(state, one !== undefined);
      if (one !== undefined) setText(state, stateText(page, one, now));
      keepLines(timers, one?.pending.map((pending) => timerLine(page, pending, now)) ?? []);
    }
    const actuators = found?.actuators ?? [];
    const waits = actuators.map((actuator) => actuatorLine(page, actuator, now));
    const rest = (found?.actuators_len ?? 0) - actuators.length;
    if (rest > 0) waits.push(t("series.more", { count: rest }));
    keepLines(byId("rules-waits"), waits);
    const total = found === null || rules.length < 2 ? "" : t("rules.totals", found.totals);
    setText(byId("rules-totals"), total);
  }

  /** What changes by time alone. */
  function tick() {
    renderStates();
    void loadStates();
  }

  return { load, follow, render, tick };
}

/**
 * Makes the items of a list say that, each where it stands.
 * @param {HTMLElement} list
 * @param {readonly string[]} lines
 */
function keepLines(list, lines) {
  while (list.children.length > lines.length) list.lastElementChild?.remove();
  for (const [index, line] of lines.entries()) {
    const item = list.children[index] ?? list.appendChild(el("li", "foreign"));
    setText(item, line);
  }
  setShown(list, lines.length > 0);
}

/**
 * @param {Page} page
 * @param {Rule} rule
 * @returns {Row}
 */
function makeRule(page, rule) {
  const { t } = page;
  const names = rule.actuators.map((name) => plain(name)).join(", ");
  const drives = names === "" ? t("rules.drives.none") : t("rules.drives", { actuators: names });
  const state = el("span", "badge rule-state");
  const head = el(
    "p",
    "rule-head",
    el("strong", "foreign", plain(rule.name)),
    state,
    el("span", "foreign muted", plain(rule.when)),
    el("span", "foreign", drives),
  );
  const row = el("li", "", head, el("code", "foreign", plain(rule.on, EXPRESSION_LEN_MAX)));
  if (rule.off !== null) {
    const off = el("code", "foreign", plain(rule.off, EXPRESSION_LEN_MAX));
    row.append(el("p", "rule-off", el("span", "muted", t("rules.off")), off));
  }
  const timers = el("ul", "rule-timers");
  row.append(timers);
  return { row, state, timers };
}
