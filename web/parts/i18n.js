/**
 * The page's texts in the chosen language.
 *
 * The choice is the browser's, until a person makes one; that one is remembered where the browser
 * lets us.
 */

import { en } from "./en.js";
import { zh } from "./zh.js";

/** @typedef {keyof typeof en} Key */
/** @typedef {"en" | "zh"} Language */
/** @typedef {Record<string, string | number>} Params */
/** @typedef {(key: Key, params?: Params) => string} Translate */

/** @type {Record<Language, Record<Key, string>>} */
const TEXTS = { en, zh };

const STORED = "mtom.language";

/**
 * The first of the browser's languages that we speak.
 * @param {readonly string[]} wanted
 * @returns {Language}
 */
export function pickLanguage(wanted) {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0];
    if (language === "zh" || language === "en") return language;
  }
  return "en";
}

/** @returns {Language} */
export function rememberedLanguage() {
  const stored = readStored();
  return stored === "en" || stored === "zh" ? stored : pickLanguage(navigator.languages);
}

/** @param {Language} language */
export function rememberLanguage(language) {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // A browser may forbid storage; the choice then lasts as long as the page.
  }
}

/**
 * @param {Language} language
 * @returns {Translate}
 */
export function translator(language) {
  const texts = TEXTS[language];
  return (key, params = {}) => fill(texts[key], params);
}

/**
 * Whether there is a text of that name: reasons come from the gateway, which may be newer than the page.
 * @param {string} key
 * @returns {key is Key}
 */
export function isKey(key) {
  return Object.hasOwn(en, key);
}

/**
 * Puts values in place of `{names}`, once: what a value holds is never looked at.
 * @param {string} text
 * @param {Params} params
 */
export function fill(text, params) {
  return text.replace(/\{(\w+)\}/g, (whole, name) =>
    Object.hasOwn(params, name) ? String(params[name]) : whole,
  );
}

/** @returns {string | null} */
function readStored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}
