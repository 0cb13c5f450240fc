/** Times as `<input type="datetime-local">` has them: in the zone of the browser, without saying so. Pure. */

/**
 * @param {number} micros
 * @returns {string} empty where no such time can be shown
 */
export function toField(micros) {
  const date = new Date(micros / 1_000);
  const year = date.getFullYear();
  if (Number.isNaN(year) || year < 1_000 || year > 9_999) return "";
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const day = [year, two(date.getMonth() + 1), two(date.getDate())].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${day}T${time}`;
}

/**
 * @param {string} text
 * @returns {number | null} microseconds; null: no time
 */
export function fromField(text) {
  const millis = new Date(text).getTime();
  return text === "" || Number.isNaN(millis) ? null : millis * 1_000;
}
