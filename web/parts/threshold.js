/** Where rules switch, as far as their texts are as simple as the original's. Pure. */

/** @typedef {import("../wire.d.ts").Rule} Rule */
/**
 * @typedef {object} Threshold
 * @property {string} rule
 * @property {"on" | "off"} led
 * @property {number} value
 * @property {boolean} isDegrees
 * @property {boolean} isAbove it switches above the value, else below
 * @property {boolean} isIncluded it switches at the value too
 */

const COMPARISON = /^\s*(celsius|fahrenheit|value)\s*([<>])(=?)\s*(-?\d+(?:\.\d+)?)\s*$/;

/**
 * Every value at which a rule for readings of that topic switches; degrees are °C.
 * @param {readonly Rule[]} rules
 * @param {string} topic
 * @returns {Threshold[]}
 */
export function thresholds(rules, topic) {
  return rulesOf(rules, topic).flatMap(({ name, on, off }) =>
    [
      { led: /** @type {const} */ ("on"), text: on },
      { led: /** @type {const} */ ("off"), text: off ?? "" },
    ].flatMap(({ led, text }) => {
      const found = COMPARISON.exec(text);
      if (found === null) return [];
      const value = Number(found[4]);
      const isFahrenheit = found[1] === "fahrenheit";
      return {
        rule: name,
        led,
        value: isFahrenheit ? ((value - 32) * 5) / 9 : value,
        isDegrees: found[1] !== "value",
        isAbove: found[2] === ">",
        isIncluded: found[3] === "=",
      };
    }),
  );
}

/**
 * Where it lies on a curve; null: nobody can say. `value` is what the device writes, in the device's unit.
 * @param {Pick<Threshold, "value" | "isDegrees">} threshold
 * @param {string} unit of the curve
 * @param {string} written the unit of the device
 * @returns {number | null}
 */
export function valueOn({ value, isDegrees }, unit, written) {
  if (isDegrees) return unit === "°C" ? value : null;
  if (unit === written) return value;
  if (unit !== "°C") return null;
  if (written === "°F") return ((value - 32) * 5) / 9;
  return written === "K" ? value - 273.15 : null;
}

/**
 * Where in °C one of the rules switches on when readings of that topic rise; null: none that is as simple.
 * @param {readonly Rule[]} rules
 * @param {string} topic
 * @returns {Threshold | null}
 */
export function risingThreshold(rules, topic) {
  const found = thresholds(rules, topic).find(
    ({ led, isDegrees, isAbove }) => led === "on" && isDegrees && isAbove,
  );
  return found ?? null;
}

/**
 * The rules that look at readings of that topic.
 * @param {readonly Rule[]} rules
 * @param {string} topic
 */
export function rulesOf(rules, topic) {
  return rules.filter(({ when }) => matches(when, topic));
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
