/** The current value of the chosen series, with its age, and the list of series to choose from. */

import { byId, el, setShown, setText } from "./dom.js";
import { age, converted, degrees, measured, number, plain, publishLine } from "./format.js";
import { ageMillis, isStale, selected } from "./state.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./state.js").Series} Series */

/** Series that the list shows; the rest is counted. */
const SERIES_LEN_MAX = 100;

/**
 * @param {Page} page
 * @param {(key: string) => void} onSelect
 */
export function createNow(page, onSelect) {
  const panel = byId("now");
  const list = byId("series-list");
  /** @type {Map<string, {row: HTMLElement, button: HTMLButtonElement, value: HTMLElement, when: HTMLElement}>} */
  const rows = new Map();

  function renderList() {
    const shown = [...page.model.series.values()].slice(0, SERIES_LEN_MAX);
    rows.clear();
    list.replaceChildren(...shown.map(makeRow));
    setShown(byId("series"), page.model.series.size > 1);
    const more = page.model.series.size - shown.length;
    setShown(byId("series-more"), more > 0);
    setText(byId("series-more"), page.t("series.more", { count: more }));
    render();
  }

  /** @param {Series} series */
  function makeRow(series) {
    const { device, quantity } = series.latest;
    const value = el("span", "value");
    const when = el("span", "when");
    const button = el(
      "button",
      "",
      el("span", "foreign", plain(`${device} / ${quantity}`)),
      value,
      when,
    );
    button.type = "button";
    button.addEventListener("click", () => onSelect(series.key));
    const row = el("li", "", button);
    rows.set(series.key, { row, button, value, when });
    return row;
  }

  function render() {
    const { model, language } = page;
    const series = selected(model);
    setShown(byId("now-empty"), series === null);
    setShown(byId("now-value"), series !== null);
    if (page.status !== null) {
      setText(byId("now-line"), publishLine(page.status.listens.mqtt, page.host));
    }
    if (series !== null) {
      const { latest } = series;
      setText(byId("now-name"), plain(`${latest.device} / ${latest.quantity}`));
      const isTemperature = latest.celsius !== null && latest.fahrenheit !== null;
      setText(
        byId("now-main"),
        isTemperature ? inCelsius(latest, language) : number(latest.value, language),
      );
      setText(byId("now-unit"), isTemperature ? "°C" : latest.unit);
      setText(
        byId("now-second"),
        isTemperature ? `${converted(latest.fahrenheit ?? 0, language)} °F` : "",
      );
      setShown(byId("now-suspect"), latest.suspect);
      const title = isTemperature
        ? `${inCelsius(latest, language)} °C`
        : measured(latest.value, latest.unit, language);
      document.title = `${title} · mtom`;
    }
    tick();
    for (const [key, row] of rows) {
      const known = model.series.get(key);
      if (known === undefined) continue;
      row.button.setAttribute("aria-pressed", String(key === model.selected));
      setText(row.value, measured(known.latest.value, known.latest.unit, language));
    }
  }

  /** What changes by time alone. */
  function tick() {
    const { model, t } = page;
    const now = page.nowMillis();
    const series = selected(model);
    if (series !== null) {
      const millis = ageMillis(model, series, now);
      const stale = isStale(model, series, now);
      panel.classList.toggle("is-stale", stale);
      const text =
        millis < 1_000
          ? t("now.fresh")
          : t(stale ? "now.stale" : "now.ago", { age: age(millis, t) });
      const { id } = series.latest;
      const kept = id === 0 ? t("now.unstored") : t("now.reading", { id });
      setText(byId("now-age"), `${text} · ${kept}`);
    }
    for (const [key, row] of rows) {
      const known = model.series.get(key);
      if (known === undefined) continue;
      setText(row.when, age(ageMillis(model, known, now), t));
      row.row.classList.toggle("is-stale", isStale(model, known, now));
    }
  }

  return { renderList, render, tick };
}

/**
 * As the device sent it where it measures in °C.
 * @param {import("../wire.d.ts").Reading} reading
 * @param {import("./i18n.js").Language} language
 */
function inCelsius({ celsius, unit }, language) {
  return unit === "°C" ? degrees(celsius ?? 0, language) : converted(celsius ?? 0, language);
}
