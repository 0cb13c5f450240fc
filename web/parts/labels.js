/** The texts that stand in the HTML, in the page's language. */

import { setText } from "./dom.js";
import { isKey } from "./i18n.js";

/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */

/**
 * Writes every text and label anew.
 * @param {Translate} t
 * @param {Language} language
 */
export function relabel(t, language) {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-t], [data-t-label]")) {
    if (!(element instanceof HTMLElement)) continue;
    const { t: text, tLabel: label } = element.dataset;
    if (text !== undefined && isKey(text)) setText(element, t(text));
    if (label !== undefined && isKey(label)) element.setAttribute("aria-label", t(label));
  }
  for (const button of languageButtons()) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

/** @returns {NodeListOf<HTMLButtonElement>} */
export function languageButtons() {
  return document.querySelectorAll("button[data-language]");
}
