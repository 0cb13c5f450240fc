/** The current value of the chosen series, with its age. */

import { byId, setShown, setText } from "./dom.js";
import { age, plain, publishLine } from "./format.js";
import { ageMillis, isStale, selected } from "./state.js";
import { inUnit, otherUnit, shown } from "./unit.js";

/** @typedef {import("./page.js").Page} Page */

/** @param {Page} page */
export function createNow(page) {
  const panel = byId("now");

  function render() {
    const { model, language, unit } = page;
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
      const main = shown(latest, unit, language);
      setText(byId("now-main"), main.text);
      setText(byId("now-unit"), main.unit);
      const second = isTemperature ? inUnit(latest, otherUnit(unit), language) : "";
      setText(byId("now-second"), second);
      setShown(byId("now-suspect"), latest.suspect);
      document.title = `${inUnit(latest, unit, language)} · mtom`;
    }
    tick();
  }

  /** What changes by time alone. */
  function tick() {
    const { model, t } = page;
    const now = page.nowMillis();
    const series = selected(model);
    if (series === null) return;
    const millis = ageMillis(model, series, now);
    const stale = isStale(model, series, now);
    panel.classList.toggle("is-stale", stale);
    const text =
      millis < 1_000 ? t("now.fresh") : t(stale ? "now.stale" : "now.ago", { age: age(millis, t) });
    const { id } = series.latest;
    const kept = id === 0 ? t("now.unstored") : t("now.reading", { id });
    setText(byId("now-age"), `${text} · ${kept}`);
  }

  return { render, tick };
}
