/** The sentences of the communication log. Pure. What devices may have chosen goes through `plain`. */

import { cause } from "./cause.js";
import { latency, measured, plain } from "./format.js";
import { isKey } from "./i18n.js";

/** @typedef {import("../wire.d.ts").LogLine} LogLine */
/** @typedef {import("../wire.d.ts").LogEvent} LogEvent */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */

/**
 * @param {LogLine} line
 * @param {Translate} t
 * @param {Language} language
 */
export function sentence(line, t, language) {
  const event = line.event;
  const key = `event.${event.kind}`;
  // A newer gateway may say more than this page knows; its English sentence is better than nothing.
  if (!isKey(key)) return plain(line.text);
  if (event.kind === "link" && event.reason !== "") {
    return t("event.link.reason", params(event, t, language));
  }
  if (event.kind === "drifted" && event.adopted) {
    return t("event.drifted.adopted", params(event, t, language));
  }
  return t(key, params(event, t, language));
}

/**
 * Why something is no reading, in the page's language where it knows the code.
 * @param {string} code
 * @param {string} reason
 * @param {Translate} t
 */
export function rejectReason(code, reason, t) {
  const key = `reject.${code}`;
  return isKey(key) ? t(key) : plain(reason);
}

/**
 * @param {LogEvent} event
 * @param {Translate} t
 * @param {Language} language
 */
function params(event, t, language) {
  /** @type {Record<string, string | number>} */
  const found = {};
  for (const [name, value] of Object.entries(event)) {
    found[name] = typeof value === "number" ? value : plain(String(value));
  }
  if ("led" in event) found.led = t(event.led === "on" ? "led.on" : "led.off");
  if (event.kind === "stored") found.value = measured(event.value, event.unit, language);
  if (event.kind === "decided") found.cause = cause(event.cause, t, language);
  if ("latency_micros" in event) found.latency = latency(event.latency_micros, language);
  if (event.kind === "rejected") found.reason = rejectReason(event.code, event.reason, t);
  if (event.kind === "link") found.state = t(`link.${event.state}`);
  return found;
}
