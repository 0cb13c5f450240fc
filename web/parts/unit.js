/** In which unit a person reads temperatures: °C until another choice is made, which is remembered. */

import { converted, degrees, measured, number } from "./format.js";

/** @typedef {"C" | "F"} TemperatureUnit */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {Pick<Reading, "value" | "unit" | "celsius" | "fahrenheit">} Value */

const STORED = "mtom.unit";

/** @returns {TemperatureUnit} */
export function rememberedUnit() {
  try {
    return localStorage.getItem(STORED) === "F" ? "F" : "C";
  } catch {
    return "C";
  }
}

/** @param {TemperatureUnit} unit */
export function rememberUnit(unit) {
  try {
    localStorage.setItem(STORED, unit);
  } catch {
    // A browser may forbid storage; the choice then lasts as long as the page.
  }
}

/** @param {TemperatureUnit} unit */
export function otherUnit(unit) {
  return unit === "C" ? "F" : "C";
}

/**
 * A value without its unit, and the unit. What was measured in that unit keeps the digits of the device.
 * @param {Value} value
 * @param {TemperatureUnit} wanted
 * @param {Language} language
 * @returns {{text: string, unit: string}}
 */
export function shown(value, wanted, language) {
  const { celsius, fahrenheit, unit } = value;
  if (celsius === null || fahrenheit === null) {
    return { text: number(value.value, language), unit };
  }
  const symbol = wanted === "C" ? "°C" : "°F";
  const degree = wanted === "C" ? celsius : fahrenheit;
  const text = unit === symbol ? degrees(value.value, language) : converted(degree, language);
  return { text, unit: symbol };
}

/**
 * A value with its unit: `74.1 °F`, `40%`.
 * @param {Value} value
 * @param {TemperatureUnit} wanted
 * @param {Language} language
 */
export function inUnit(value, wanted, language) {
  const { celsius, fahrenheit } = value;
  if (celsius === null || fahrenheit === null) return measured(value.value, value.unit, language);
  const { text, unit } = shown(value, wanted, language);
  return `${text} ${unit}`;
}

/** @returns {NodeListOf<HTMLButtonElement>} */
export function unitButtons() {
  return document.querySelectorAll("button[data-unit]");
}
