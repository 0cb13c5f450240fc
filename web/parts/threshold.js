/** Where a rule switches, as far as its text is as simple as the original's. Pure. */

/** @typedef {import("../wire.d.ts").Rule} Rule */

const COMPARISON = /^\s*(celsius|fahrenheit)\s*>=?\s*(-?\d+(?:\.\d+)?)\s*$/;

/**
 * The °C at which one of the rules switches on by readings of that topic; null: none that can be drawn.
 * @param {readonly Rule[]} rules
 * @param {string} topic
 * @returns {number | null}
 */
export function thresholdCelsius(rules, topic) {
  for (const rule of rules) {
    const found = COMPARISON.exec(rule.on);
    if (found === null || !matches(rule.when, topic)) continue;
    const limit = Number(found[2]);
    return found[1] === "celsius" ? limit : ((limit - 32) * 5) / 9;
  }
  return null;
}

/**
 * MQTT topic filters (MQTT 3.1.1 §4.7).
 * @param {string} filter
 * @param {string} topic
 */
export function matches(filter, topic) {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const levels = topic.split("/");
  const wanted = filter.split("/");
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
