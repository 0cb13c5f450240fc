/**
 * Which series the chart shows: the selected one, and those that a person compares it with. The legend
 * names them in their colours, shows and hides each, and says what each has under the cursor.
 */

import { byId, el, setShown, setText } from "./dom.js";
import { plain } from "./format.js";
import { LINES_MAX } from "./plot.js";
import { selected } from "./state.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./state.js").Series} Series */
/** @typedef {{key: string, color: number, isHidden: boolean}} Entry */
/** @typedef {{row: HTMLElement, button: HTMLButtonElement, value: HTMLElement}} Row */

/** What the list of series to compare with offers at most; the rest is chosen among the sensors. */
const OFFERED_MAX = 500;

/**
 * @param {Page} page
 * @param {() => void} onChange other series, or others shown
 */
export function createLegend(page, onChange) {
  const list = byId("chart-legend");
  /** @type {HTMLSelectElement} */
  const add = byId("chart-add");
  /** @type {Entry[]} the first is the selected one */
  let entries = [];
  /** @type {Map<string, Row>} */
  let rows = new Map();
  /** What the rows were made of. */
  let drawn = "";

  add.addEventListener("change", () => {
    const key = add.value;
    add.value = "";
    if (page.model.series.has(key) && entries.length < LINES_MAX) {
      entries.push({ key, color: freeColor(entries), isHidden: false });
      render();
      onChange();
    }
  });

  /** Takes over what is selected; what it is compared with stays. */
  function follow() {
    const key = selected(page.model)?.key;
    const others = entries
      .slice(1)
      .filter((entry) => entry.key !== key && page.model.series.has(entry.key));
    const known = entries[0];
    const first = known?.key === key ? known : undefined;
    entries = key === undefined ? others : [first ?? { key, color: 0, isHidden: false }, ...others];
    if (entries[0] !== undefined) entries[0].color = 0;
    // Made anew they would go from under the finger or the focus.
    if (contents() === drawn) offer();
    else render();
  }

  /** What would be seen, but for what is hidden: the buttons say that themselves. */
  const contents = () => {
    const names = entries.map(({ key }) => nameOf(page.model.series.get(key)));
    return JSON.stringify([page.language, entries.map(({ key, color }) => [key, color]), names]);
  };

  function render() {
    drawn = contents();
    rows = new Map(entries.map((entry, index) => [entry.key, makeRow(entry, index > 0)]));
    list.replaceChildren(...[...rows.values()].map(({ row }) => row));
    offer();
  }

  function offer() {
    const first = el("option", "", page.t("chart.add"));
    first.value = "";
    const known = new Set(entries.map(({ key }) => key));
    const others = [...page.model.series.values()].filter(({ key }) => !known.has(key));
    const options = others.slice(0, OFFERED_MAX).map(({ key, latest }) => {
      const made = el("option", "", plain(`${latest.device} / ${latest.quantity}`, 60));
      made.value = key;
      return made;
    });
    add.replaceChildren(first, ...options);
    setShown(add, others.length > 0);
    add.disabled = entries.length >= LINES_MAX;
  }

  /**
   * @param {Entry} entry
   * @param {boolean} isAdded
   * @returns {Row}
   */
  function makeRow(entry, isAdded) {
    const { t } = page;
    const name = nameOf(page.model.series.get(entry.key));
    const swatch = el("span", "swatch");
    swatch.dataset.line = String(entry.color);
    const value = el("span", "value");
    const button = el("button", "", swatch, el("span", "foreign", name), value);
    button.type = "button";
    button.setAttribute("aria-pressed", String(!entry.isHidden));
    button.addEventListener("click", () => {
      entry.isHidden = !entry.isHidden;
      button.setAttribute("aria-pressed", String(!entry.isHidden));
      onChange();
    });
    const row = el("li", "", button);
    if (isAdded) {
      const remove = el("button", "remove", "×");
      remove.type = "button";
      remove.setAttribute("aria-label", t("chart.remove", { name }));
      remove.addEventListener("click", () => {
        entries = entries.filter((other) => other !== entry);
        render();
        add.focus();
        onChange();
      });
      row.append(remove);
    }
    return { row, button, value };
  }

  return {
    follow,
    offer,
    render,
    entries: () => entries,
    /**
     * @param {string} key
     * @param {string} text
     */
    say(key, text) {
      const row = rows.get(key);
      if (row !== undefined) setText(row.value, text);
    },
  };
}

/** @param {Series | undefined} series */
export function nameOf(series) {
  return series === undefined
    ? ""
    : plain(`${series.latest.device} / ${series.latest.quantity}`, 60);
}

/** @param {readonly Entry[]} entries */
function freeColor(entries) {
  const taken = new Set(entries.map(({ color }) => color));
  for (let color = 1; color < LINES_MAX; color += 1) if (!taken.has(color)) return color;
  return 0;
}
