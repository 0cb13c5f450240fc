/** What every part of the page is given: what is known, the language, and the time. */

import { rememberedLanguage, translator } from "./i18n.js";
import { createModel } from "./state.js";
import { rememberedUnit } from "./unit.js";

/**
 * @typedef {object} Page
 * @property {import("./state.js").Model} model
 * @property {import("./i18n.js").Language} language
 * @property {import("./i18n.js").Translate} t
 * @property {import("./unit.js").TemperatureUnit} unit of temperatures
 * @property {import("../wire.d.ts").Status | null} status
 * @property {boolean} isReplay the model and the time are those of the past
 * @property {string} host of the page's own address
 * @property {() => number} nowMillis by the browser's clock, or of the past
 */

/** @returns {Page} */
export function createPage() {
  const language = rememberedLanguage();
  return {
    model: createModel(),
    language,
    t: translator(language),
    unit: rememberedUnit(),
    status: null,
    isReplay: false,
    host: location.hostname,
    nowMillis: () => Date.now(),
  };
}
