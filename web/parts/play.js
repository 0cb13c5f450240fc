/**
 * Playing with the simulated sensor: a slider holds its thermometer, the reading takes the real way, and the LED
 * answers below it.
 */

import { holdSimulator, simulator } from "./api.js";
import { byId, setShown, setText } from "./dom.js";
import { plain } from "./format.js";
import { judge } from "./leds.js";
import { risingThreshold } from "./threshold.js";
import { inUnit } from "./unit.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../wire.d.ts").Simulated} Simulated */

/** @param {Page} page */
export function createPlay(page) {
  const place = byId("play");
  /** @type {HTMLInputElement} */
  const slider = byId("play-slider");
  const release = byId("play-release");
  /** @type {Simulated | null} */
  let known = null;
  let failure = "";
  /** @type {{celsius: number | null} | null} newest that is to be told; an older one is of no use any more */
  let wanted = null;
  let isTelling = false;

  slider.addEventListener("input", () => want(Number(slider.value)));
  release.addEventListener("click", () => want(null));

  /** @param {number | null} celsius */
  function want(celsius) {
    // Who looks at the past does not mean the present.
    if (page.isReplay) return;
    wanted = { celsius };
    if (known !== null) known = { ...known, celsius };
    render();
    void tell();
  }

  async function tell() {
    if (isTelling) return;
    isTelling = true;
    while (wanted !== null) {
      const { celsius } = wanted;
      wanted = null;
      try {
        await holdSimulator(celsius);
        failure = "";
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
      }
    }
    isTelling = false;
    render();
  }

  async function load() {
    try {
      known = await simulator();
    } catch {
      // The connection says that the gateway is away; the last picture stays.
      return;
    }
    if (known.celsius !== null) slider.value = String(known.celsius);
    render();
  }

  function render() {
    const { t, model, language, unit } = page;
    const topic = known?.topic ?? null;
    setShown(place, topic !== null);
    if (known === null || topic === null) return;
    const { celsius } = known;
    /** @param {number} value */
    const degrees = (value) => {
      const fahrenheit = (value * 9) / 5 + 32;
      return inUnit({ value, unit: "°C", celsius: value, fahrenheit }, unit, language);
    };
    const shown = degrees(Number(slider.value));
    setText(byId("play-value"), celsius === null ? t("play.free") : shown);
    slider.setAttribute("aria-valuetext", shown);
    setShown(release, celsius !== null);
    const limit = risingThreshold(model.rules, topic);
    const where = limit?.isIncluded ? "play.hint.at" : "play.hint.above";
    setText(
      byId("play-hint"),
      limit === null ? t("play.hint") : t(where, { value: degrees(limit.value) }),
    );
    const leds = [...model.actuators.values()].map((actuator) => {
      const { lamp, says } = judge(actuator, t);
      return t("led.announce", { name: plain(actuator.name), state: t(`led.${lamp}`), says });
    });
    const text = failure === "" ? leds.join(t("text.stop")) : t("play.failed", { reason: failure });
    setText(byId("play-outcome"), text);
  }

  return { load, render };
}
