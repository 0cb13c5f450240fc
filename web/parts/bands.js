/** An actuator over time as a band, and how its totals are said. `runs` and `onSpan` are pure. */

import { el } from "./dom.js";
import { age, number } from "./format.js";

/** @typedef {import("../wire.d.ts").Band} Band */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */

/**
 * Neighbouring parts of a band that look the same.
 * @typedef {object} Run
 * @property {number} from the first part
 * @property {number} length in parts
 * @property {"off" | "some" | "on"} state
 * @property {number} share of the time that it was on, in steps
 */

const SVG = "http://www.w3.org/2000/svg";
/** More shades than these nobody tells apart. */
const SHADES = 4;
const HEIGHT = 12;
/** Off is a line, so that it differs from on without any colour. */
const OFF_HEIGHT = 2;
const OPACITY_MIN = 0.3;
/** Up to here hours are said with their minutes. */
const HOURS_FINE = 48;

/**
 * @param {readonly (number | null)[]} shares
 * @returns {Run[]} without the parts in which nothing was decided
 */
export function runs(shares) {
  /** @type {Run[]} */
  const found = [];
  for (const [index, share] of shares.entries()) {
    if (share === null) continue;
    const state = share <= 0 ? "off" : share >= 1 ? "on" : "some";
    const shade = state === "some" ? Math.ceil(share * SHADES) / (SHADES + 1) : Math.round(share);
    const last = found.at(-1);
    const isSame = last?.state === state && last.share === shade;
    if (last !== undefined && isSame && last.from + last.length === index) last.length += 1;
    else found.push({ from: index, length: 1, state, share: shade });
  }
  return found;
}

/**
 * How long it was on.
 * @param {number} seconds
 * @param {Translate} t
 * @param {Language} language
 */
export function onSpan(seconds, t, language) {
  const hours = seconds / 3_600;
  if (hours < HOURS_FINE) return age(seconds * 1_000, t);
  return t("replay.hours", { count: number(hours, language, 0, 1) });
}

/**
 * The band as a picture, with its totals as the text in its place.
 * @param {Band} band
 * @param {string} label
 */
export function drawBand(band, label) {
  const width = Math.max(1, band.shares.length);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, preserveAspectRatio: "none" });
  for (const { from, length, state, share } of runs(band.shares)) {
    const height = state === "off" ? OFF_HEIGHT : HEIGHT;
    const rect = svg("rect", { x: from, y: (HEIGHT - height) / 2, width: length, height });
    if (state === "some") rect.setAttribute("fill-opacity", String(OPACITY_MIN + share / 2));
    rect.setAttribute("class", `band-${state}`);
    picture.append(rect);
  }
  picture.setAttribute("aria-hidden", "true");
  const place = el("div", "band");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", label);
  place.append(picture);
  return place;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
