/** What the history is narrowed to: by device, series, time and value. */

import { byId, el, setText } from "./dom.js";
import { plain } from "./format.js";
import { fromField } from "./times.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./state.js").Series} Series */
/** @typedef {Omit<import("./api.js").ReadingsQuery, "after" | "limit">} Filter */

/**
 * @param {Page} page
 * @param {() => void} onChange
 */
export function createFilter(page, onChange) {
  /** @type {HTMLFormElement} */
  const form = byId("history-filters");
  /** @type {HTMLSelectElement} */
  const device = byId("history-device");
  /** @type {HTMLSelectElement} */
  const series = byId("history-series");
  /** @type {HTMLSelectElement} */
  const order = byId("history-order");
  const [from, until, min, max] = ["from", "until", "min", "max"].map((name) => {
    /** @type {HTMLInputElement} */
    const input = byId(`history-${name}`);
    return input;
  });

  /** The unit that the fields were written in. */
  let unit = page.unit;
  /** What the rows that are shown were asked with. */
  let asked = "";

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (event.target === device) {
      series.value = "";
      offer();
    }
    label();
    ask();
  });
  form.addEventListener("reset", () => {
    // The fields are empty when this event is over.
    setTimeout(() => {
      offer();
      ask();
    });
  });

  function ask() {
    asked = JSON.stringify(filter());
    onChange();
  }

  /** The fields go on to mean the same when a person reads temperatures in another unit. */
  function followUnit() {
    if (unit === page.unit) return;
    const [before, now] = [`°${unit}`, `°${page.unit}`];
    unit = page.unit;
    if (shownUnit() !== now) return;
    for (const field of [min, max]) {
      if (field === undefined || field.value === "") continue;
      field.value = rewritten(Number(field.value), now, before);
    }
    // Asked with the same values but for the last of their digits.
    asked = JSON.stringify(filter());
  }

  /** @returns {Filter} */
  function filter() {
    const chosen = page.model.series.get(series.value)?.latest;
    const end = fromField(until?.value ?? "");
    return {
      order: order.value === "asc" ? "asc" : "desc",
      ...(chosen && { device: chosen.device, quantity: chosen.quantity }),
      ...(chosen === undefined && device.value !== "" && { device: device.value }),
      from: fromField(from?.value ?? ""),
      // The second that is named belongs to the span.
      until: end === null ? null : end + 1e6,
      min: value(min),
      max: value(max),
    };
  }

  /**
   * In the unit of the device, as the gateway compares it.
   * @param {HTMLInputElement | undefined} field
   */
  function value(field) {
    const typed = field?.value ?? "";
    if (typed === "" || !Number.isFinite(Number(typed))) return null;
    return stored(Number(typed), chosenUnit(), shownUnit());
  }

  /** The unit of the readings that are asked for; null: there may be several. */
  function chosenUnit() {
    const all = [...page.model.series.values()].filter(({ key, latest }) => {
      if (series.value !== "") return key === series.value;
      return device.value === "" || latest.device === device.value;
    });
    const [first] = all;
    const isOne = all.every(({ latest }) => latest.unit === first?.latest.unit);
    return first !== undefined && isOne ? first.latest.unit : null;
  }

  /** The unit that a person writes in. */
  function shownUnit() {
    const unit = chosenUnit();
    return unit === "°C" || unit === "°F" ? `°${page.unit}` : unit;
  }

  function label() {
    const unit = shownUnit();
    for (const name of /** @type {const} */ (["min", "max"])) {
      const text =
        unit === null || unit === ""
          ? page.t(`history.${name}`)
          : page.t(`history.${name}.unit`, { unit: plain(unit, 12) });
      setText(byId(`history-${name}-label`), text);
    }
  }

  /** Offers what is known by now, and keeps what is chosen. */
  function list() {
    offer();
    // Where there are several units by now, or only one, a value means another one.
    if (asked !== "" && asked !== JSON.stringify(filter())) ask();
  }

  function offer() {
    const { t, model } = page;
    const known = [...model.series.values()];
    const names = [...new Set(known.map(({ latest }) => latest.device))];
    choices(
      device,
      t("history.all"),
      names.map((name) => [name, plain(name, 60)]),
    );
    const some = known.filter(
      ({ latest }) => device.value === "" || latest.device === device.value,
    );
    choices(
      series,
      t("history.all"),
      some.map(({ key, latest }) => [key, plain(`${latest.device} / ${latest.quantity}`, 60)]),
    );
    followUnit();
    label();
  }

  /**
   * Whether a reading that has just come would be shown.
   * @param {import("../wire.d.ts").Reading} reading
   */
  function takes(reading) {
    const wanted = filter();
    const at = reading.at_micros;
    return (
      (wanted.device === undefined || wanted.device === reading.device) &&
      (wanted.quantity === undefined || wanted.quantity === reading.quantity) &&
      at >= Number(wanted.from ?? at) &&
      at <= Number(wanted.until ?? at) &&
      reading.value >= (wanted.min ?? reading.value) &&
      reading.value <= (wanted.max ?? reading.value)
    );
  }

  return { filter, list, takes };
}

/**
 * A value that a person wrote, in the unit that it is stored in.
 * @param {number} value
 * @param {string | null} unit that is stored
 * @param {string | null} shown
 */
export function stored(value, unit, shown) {
  if (unit === "°C" && shown === "°F") return ((value - 32) * 5) / 9;
  if (unit === "°F" && shown === "°C") return value * 1.8 + 32;
  return value;
}

/**
 * A value in a field, in the other unit. °C need more digits than °F do, so that there and back is the same text.
 * @param {number} value
 * @param {string} now
 * @param {string} before
 */
export function rewritten(value, now, before) {
  const steps = now === "°C" ? 1e9 : 1e6;
  return String(Math.round(stored(value, now, before) * steps) / steps);
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} all
 * @param {[string, string][]} others
 */
export function choices(select, all, others) {
  const chosen = select.value;
  const options = [/** @type {[string, string]} */ (["", all]), ...others].map(([value, text]) => {
    const made = el("option", "", text);
    made.value = value;
    return made;
  });
  select.replaceChildren(...options);
  select.value = others.some(([value]) => value === chosen) ? chosen : "";
}
