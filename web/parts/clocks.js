/**
 * The gateway's clock beside the person's: which zone it is in where that differs, and a warning where the two tell
 * different times. Ages are by the gateway's clock, so a wrong one here makes nobody old.
 */

import { byId, setShown, setText } from "./dom.js";
import { age, stampIn } from "./format.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Zone} Zone */

/** More than a slow network makes of two good clocks. */
const APART_MILLIS = 5_000;

/** @param {Page} page */
export function createClocks(page) {
  const present = page.model;
  const warning = byId("clock");
  const line = byId("footer-gateway");

  function render() {
    const { t, language, status } = page;
    const { skewMillis } = present;
    const isApart = Math.abs(skewMillis) >= APART_MILLIS;
    setShown(warning, isApart);
    const span = age(Math.abs(skewMillis), t);
    if (isApart) setText(warning, t(skewMillis < 0 ? "clock.ahead" : "clock.behind", { span }));
    const zone = status?.zone ?? null;
    const nowMillis = Date.now();
    const isElsewhere = zone !== null && zone.offset_seconds !== offsetSeconds(nowMillis);
    setShown(line, isElsewhere || isApart);
    if (zone === null || !(isElsewhere || isApart)) return;
    const time = stampIn((nowMillis + skewMillis) * 1_000, language, zone);
    setText(line, t("footer.gateway", { time, zone: zoneName(zone) }));
  }

  return { render };
}

/**
 * What is added to UTC here, in seconds.
 * @param {number} millis
 */
function offsetSeconds(millis) {
  return -new Date(millis).getTimezoneOffset() * 60;
}

/**
 * `Asia/Shanghai, UTC+8`; the offset alone where nobody has named the zone.
 * @param {Zone} zone
 */
export function zoneName({ name, offset_seconds: seconds }) {
  const minutes = Math.round(Math.abs(seconds) / 60);
  const rest = minutes % 60 === 0 ? "" : `:${String(minutes % 60).padStart(2, "0")}`;
  const offset =
    minutes === 0 ? "UTC" : `UTC${seconds < 0 ? "−" : "+"}${Math.floor(minutes / 60)}${rest}`;
  return name === null || name === offset ? offset : `${name}, ${offset}`;
}
