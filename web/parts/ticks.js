/** What stands at the time axis of a chart. Pure, in the zone of the browser. */

import { clock, dayOfYear, minutes, month } from "./format.js";

/** @typedef {import("./i18n.js").Language} Language */

const DAY = 86_400;
const MONTH = 28 * DAY;

/**
 * @param {readonly number[]} splits in seconds
 * @param {number} step between two of them, in seconds
 * @param {Language} language
 */
export function tickLabels(splits, step, language) {
  return splits.map((second) => {
    const micros = second * 1e6;
    if (step >= MONTH) return month(micros, language);
    if (step >= DAY) return dayOfYear(micros, language);
    if (step < 1) return clock(micros, true).slice(0, -2);
    const time = step < 60 ? clock(micros) : minutes(micros);
    // Midnight says which day begins.
    return /^00:00(:00)?$/.test(time) ? dayOfYear(micros, language) : time;
  });
}
