/** Numbers, times and foreign texts as people read them. Pure: the present is an argument. */

/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./i18n.js").Translate} Translate */

/** @type {Record<Language, string>} */
const LOCALES = { en: "en", zh: "zh-CN" };

/** The longest foreign text that is shown in a line. */
const PLAIN_LEN_MAX = 200;

const DAY_MILLIS = 86_400_000;

/** Control characters, and those that turn the direction of what follows. */
const UNSEEN = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/**
 * A text that a device may have chosen, on one line and without characters that hide or turn others.
 * @param {string} text
 * @param {number} [lengthMax]
 */
export function plain(text, lengthMax = PLAIN_LEN_MAX) {
  const chars = Array.from(text);
  const cut = chars.length > lengthMax ? `${chars.slice(0, lengthMax).join("")}…` : text;
  return cut.replace(UNSEEN, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/** @type {Map<string, Intl.NumberFormat>} */
const numberFormats = new Map();
/** @type {Map<string, Intl.DateTimeFormat>} */
const timeFormats = new Map();

/**
 * @param {number} value
 * @param {Language} language
 * @param {number} [digitsMin] after the point
 * @param {number} [digitsMax] after the point
 */
export function number(value, language, digitsMin = 0, digitsMax = 2) {
  const key = `${language} ${digitsMin} ${digitsMax}`;
  let format = numberFormats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(LOCALES[language], {
      minimumFractionDigits: digitsMin,
      maximumFractionDigits: digitsMax,
    });
    numberFormats.set(key, format);
  }
  const huge = Math.abs(value) >= 1e15 || (value !== 0 && Math.abs(value) < 1e-3);
  return huge ? String(value) : format.format(value);
}

/**
 * A temperature without its unit, with at least one digit after the point.
 * @param {number} value
 * @param {Language} language
 */
export function degrees(value, language) {
  return number(value, language, 1, 2);
}

/**
 * A temperature that was converted: the digits behind the first are those of the conversion.
 * @param {number} value
 * @param {Language} language
 */
export function converted(value, language) {
  return number(value, language, 1, 1);
}

/**
 * A number with its unit: `23.4 °C`, `40%`.
 * @param {number} value
 * @param {string} unit
 * @param {Language} language
 */
export function measured(value, unit, language) {
  const isDegrees = unit === "°C" || unit === "°F" || unit === "K";
  const text = isDegrees ? degrees(value, language) : number(value, language);
  if (unit === "") return text;
  return unit === "%" ? `${text}%` : `${text} ${unit}`;
}

/**
 * How long ago, in the largest unit that says something.
 * @param {number} millis
 * @param {Translate} t
 */
export function age(millis, t) {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  if (seconds < 60) return t("age.seconds", { count: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t("age.minutes", { count: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return t("age.hours", { hours, minutes: minutes % 60 });
  return t("age.days", { count: Math.floor(hours / 24) });
}

/**
 * How much time is left, as a clock that runs backwards: `0:09`, `1:59:58`. What has begun of a second counts.
 * @param {number} millis
 */
export function countdown(millis) {
  const seconds = Math.max(0, Math.ceil(millis / 1_000));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const end = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${end}` : `${minutes}:${end}`;
}

/**
 * @param {number} micros
 * @param {Language} language
 */
export function latency(micros, language) {
  if (micros < 1_000) return `${number(micros, language)} µs`;
  if (micros < 1_000_000) return `${number(micros / 1_000, language, 0, 1)} ms`;
  return `${number(micros / 1_000_000, language, 0, 2)} s`;
}

/**
 * Date and time in the zone of the browser.
 * @param {number} micros
 * @param {Language} language
 */
export function stamp(micros, language) {
  return inZone(micros, `${language} stamp`, () => ({
    locale: LOCALES[language],
    options: { ...dateOptions(language), ...CLOCK },
  }));
}

/**
 * Date and time in another zone, as long as its offset stays.
 * @param {number} micros
 * @param {Language} language
 * @param {import("../wire.d.ts").Zone} zone
 */
export function stampIn(micros, language, { offset_seconds: seconds }) {
  return inZone(micros + seconds * 1_000_000, `${language} elsewhere`, () => ({
    locale: LOCALES[language],
    // It is moved already.
    options: { ...dateOptions(language), ...CLOCK, timeZone: "UTC" },
  }));
}

/**
 * The date alone in the zone of the browser.
 * @param {number} micros
 * @param {Language} language
 */
export function day(micros, language) {
  return inZone(micros, `${language} day`, () => ({
    locale: LOCALES[language],
    options: dateOptions(language),
  }));
}

/**
 * The month and its year in the zone of the browser.
 * @param {number} micros
 * @param {Language} language
 */
export function month(micros, language) {
  return inZone(micros, `${language} month`, () => ({
    locale: LOCALES[language],
    options: { year: "numeric", month: "short" },
  }));
}

/**
 * The day without its year in the zone of the browser.
 * @param {number} micros
 * @param {Language} language
 */
export function dayOfYear(micros, language) {
  return inZone(micros, `${language} day of year`, () => ({
    locale: LOCALES[language],
    options: { month: "short", day: "numeric" },
  }));
}

/**
 * Hours and minutes in the zone of the browser.
 * @param {number} micros
 */
export function minutes(micros) {
  return inZone(micros, "minutes", () => ({
    locale: "en-GB",
    options: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  }));
}

/**
 * The time of day in the zone of the browser.
 * @param {number} micros
 * @param {boolean} [withMillis]
 */
export function clock(micros, withMillis = false) {
  return inZone(micros, withMillis ? "millis" : "clock", () => ({
    locale: "en-GB",
    options: withMillis ? { ...CLOCK, fractionalSecondDigits: 3 } : CLOCK,
  }));
}

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

/**
 * @param {Language} language
 * @returns {Intl.DateTimeFormatOptions}
 */
function dateOptions(language) {
  return { year: "numeric", month: language === "en" ? "short" : "2-digit", day: "2-digit" };
}

/**
 * The time of day; what was longer ago than a day gets its date.
 * @param {number} micros
 * @param {number} nowMillis
 * @param {Language} language
 */
export function moment(micros, nowMillis, language) {
  const isLongAgo = nowMillis - micros / 1_000 > DAY_MILLIS;
  return isLongAgo ? stamp(micros, language) : clock(micros);
}

/**
 * @param {number} micros
 * @param {string} key
 * @param {() => {locale: string, options: Intl.DateTimeFormatOptions}} make
 */
function inZone(micros, key, make) {
  const date = new Date(micros / 1_000);
  if (Number.isNaN(date.getTime())) return "–";
  let format = timeFormats.get(key);
  if (format === undefined) {
    const { locale, options } = make();
    format = new Intl.DateTimeFormat(locale, options);
    timeFormats.set(key, format);
  }
  return format.format(date);
}

/**
 * `host:port`, with a host that this browser can reach where the gateway listens on all of them.
 * @param {string} address
 * @param {string} pageHost
 */
export function reachable(address, pageHost) {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon);
  const port = address.slice(colon + 1);
  const anyHost = host === "0.0.0.0" || host === "[::]";
  return { host: anyHost ? pageHost : host, port };
}

/**
 * A command that publishes a reading to that broker, ready to be pasted into a shell.
 * @param {string} address
 * @param {string} pageHost
 */
export function publishLine(address, pageHost) {
  const { host, port } = reachable(address, pageHost);
  const bare = host.replace(/^\[|\]$/g, "");
  return `mosquitto_pub -h ${bare} -p ${port} -q 1 -t Environ/Temperature -m '26.5 °C'`;
}
