/** The rules that run: what each looks at, when it switches, and what. */

import { rules as loadRules } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { plain, stamp } from "./format.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Rule} Rule */
/** @typedef {import("../wire.d.ts").Rules} Rules */

/** An expression is what a person asks for here: more of it than of a name. */
const EXPRESSION_LEN_MAX = 1_000;

/**
 * @param {Page} page
 * @param {() => void} onEdit
 * @param {(rules: Rules) => void} onNews other rules run
 */
export function createRules(page, onEdit, onNews) {
  /** @type {Rules | null} */
  let known = null;
  let failure = "";
  /** Answers to older questions are not shown. */
  let asked = 0;
  /** The line of the log that told of other rules last. */
  let told = -1;

  byId("rules-edit").addEventListener("click", onEdit);

  async function load() {
    asked += 1;
    const question = asked;
    try {
      const answer = await loadRules();
      if (question !== asked) return;
      known = answer;
      failure = "";
      page.model.rules = answer.rules;
      onNews(answer);
    } catch (error) {
      if (question !== asked) return;
      failure = error instanceof Error ? error.message : String(error);
    }
    render();
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
    void load();
  }

  function render() {
    const { t, language } = page;
    const version = known?.version ?? null;
    const rules = known?.rules ?? page.model.rules;
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
    byId("rules-list").replaceChildren(...rules.map((rule) => makeRule(page, rule)));
    const note =
      failure === "" ? t("rules.none") : t("rules.failed", { reason: plain(failure, 600) });
    setText(byId("rules-note"), note);
    setShown(byId("rules-note"), failure !== "" || rules.length === 0);
  }

  return { load, follow, render };
}

/**
 * @param {Page} page
 * @param {Rule} rule
 */
function makeRule(page, rule) {
  const { t } = page;
  const names = rule.actuators.map((name) => plain(name)).join(", ");
  const drives = names === "" ? t("rules.drives.none") : t("rules.drives", { actuators: names });
  const head = el(
    "p",
    "rule-head",
    el("strong", "foreign", plain(rule.name)),
    el("span", "foreign muted", plain(rule.when)),
    el("span", "foreign", drives),
  );
  const row = el("li", "", head, el("code", "foreign", plain(rule.on, EXPRESSION_LEN_MAX)));
  if (rule.off !== null) {
    const off = el("code", "foreign", plain(rule.off, EXPRESSION_LEN_MAX));
    row.append(el("p", "rule-off", el("span", "muted", t("rules.off")), off));
  }
  return row;
}
