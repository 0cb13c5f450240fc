/**
 * The chart: the present and the past of one series or several, with what the rules made of them. Here a person
 * moves in time; `curves.js` has what is shown, `picture.js` draws it, `caption.js` says it.
 *
 * The gateway picks what the points of a span are made of: readings, or sums of minutes, hours or days.
 * A new span is shown at once with what is there already, and anew when its points have come.
 */

import { createCaption } from "./caption.js";
import { createCurves } from "./curves.js";
import { byId, el, setText } from "./dom.js";
import { moveByKeys } from "./keys.js";
import { createLegend } from "./legend.js";
import { createPicture } from "./picture.js";
import { PLACES } from "./points.js";
import { savePicture, saveTable } from "./save.js";
import { chosen, edges, isLive, PRESETS, panned, zoomed } from "./span.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./span.js").Span} Span */
/** @typedef {import("../wire.d.ts").Reading} Reading */

/** Steps that can be gone back. */
const BACK_LEN_MAX = 50;
const ZOOM = 2;
const PAN = 0.25;

/** @param {Page} page */
export function createChart(page) {
  const place = byId("chart");
  /** @type {HTMLButtonElement} */
  const backButton = byId("chart-back");
  /** @type {Span} */
  let span = { seconds: 600 };
  /** @type {Span[]} */
  let back = [];

  const presets = PRESETS.map(({ key, seconds }) => {
    const button = el("button", "");
    button.type = "button";
    button.addEventListener("click", () => go({ seconds }));
    return { key, seconds, button };
  });
  byId("chart-windows").replaceChildren(...presets.map(({ button }) => button));

  const now = () => (page.nowMillis() + page.model.skewMillis) / 1_000;
  const sight = () => edges(span, now());
  const sees = { sight, isLive: () => isLive(span) };
  const legend = createLegend(page, () => void load());
  const curves = createCurves(page, {
    ...sees,
    entries: legend.entries,
    now,
    places: () => Math.min(PLACES, Math.max(100, Math.round(place.clientWidth * devicePixelRatio))),
    onBusy: (isBusy) => {
      if (isBusy) place.setAttribute("aria-busy", "true");
      else place.removeAttribute("aria-busy");
    },
    onCurves: () => picture.rebuild(),
    onDriven: () => {
      picture.draw();
      say();
    },
  });
  const picture = createPicture(page, {
    ...sees,
    curves,
    onDrawn: say,
    onCursor: () => caption.sayCursor(),
    onSelect: (from, until) => go(chosen(from, until, now())),
  });
  const caption = createCaption(page, { ...sees, curves, picture, sayLine: legend.say });

  backButton.addEventListener("click", goBack);
  byId("chart-live").addEventListener("click", reset);
  byId("chart-in").addEventListener("click", () => zoom(1 / ZOOM));
  byId("chart-out").addEventListener("click", () => zoom(ZOOM));
  byId("chart-earlier").addEventListener("click", () => go(panned(span, now(), -PAN)));
  byId("chart-later").addEventListener("click", () => go(panned(span, now(), PAN)));
  byId("chart-csv").addEventListener("click", () => saveTable(page, curves.shown()));
  byId("chart-png").addEventListener("click", () => {
    void savePicture(page, picture.plot(), curves.shown(), sight());
  });
  place.addEventListener("dblclick", reset);
  moveByKeys(place, {
    pan: (steps) => go(panned(span, now(), steps * PAN)),
    zoom: (isCloser) => zoom(isCloser ? 1 / ZOOM : ZOOM),
    back: () => (picture.cursor() === null ? goBack() : picture.pointAt(null)),
    reset,
    step,
  });
  document.addEventListener("visibilitychange", () => {
    // A page that nobody looks at is painted by nobody, and what came meanwhile may be too much.
    if (document.visibilityState === "visible" && isLive(span)) void load();
  });

  /** @param {Span} next */
  function go(next) {
    if (JSON.stringify(next) === JSON.stringify(span)) return;
    back = [...back, span].slice(-BACK_LEN_MAX);
    moveTo(next);
  }

  function goBack() {
    const before = back.pop();
    if (before !== undefined) moveTo(before);
  }

  function reset() {
    const first = back.findLast(isLive) ?? { seconds: 600 };
    back = [];
    if (!isLive(span)) moveTo(first);
  }

  /** @param {number} factor */
  function zoom(factor) {
    go(zoomed(span, now(), factor, picture.cursor()));
  }

  /** @param {Span} next */
  function moveTo(next) {
    span = next;
    picture.renew();
    say();
    void load();
  }

  function load() {
    legend.follow();
    return curves.load();
  }

  /** @param {readonly Reading[]} fresh */
  function add(fresh) {
    if (curves.add(fresh)) picture.grow();
  }

  /**
   * Moves the keyboard's cursor to the next point of the first series.
   * @param {number} by
   */
  function step(by) {
    const [line] = curves.shown();
    if (line === undefined) return;
    const [from, until] = sight();
    const { points } = line.curve;
    const visible = points.filter(({ seconds }) => seconds >= from && seconds <= until);
    const at = visible.findIndex(({ seconds }) => seconds === picture.cursor());
    const next =
      at < 0 ? (by < 0 ? visible.at(-1) : visible[0]) : (visible[at + by] ?? visible[at]);
    if (next === undefined) return;
    picture.pointAt(next.seconds);
    setText(byId("chart-announce"), caption.sentence(next, line));
  }

  function say() {
    for (const { seconds, button } of presets) {
      button.setAttribute("aria-pressed", String(isLive(span) && span.seconds === seconds));
    }
    byId("chart-live").setAttribute("aria-pressed", String(isLive(span)));
    backButton.disabled = back.length === 0;
    caption.say();
  }

  function relabel() {
    for (const { key, button } of presets) setText(button, page.t(`chart.span.${key}`));
    legend.render();
    picture.rebuild();
    say();
  }

  relabel();
  void picture.start();
  return {
    load,
    add,
    draw: picture.draw,
    relabel,
    loadDriven: () => void curves.loadDriven(),
    offer: legend.offer,
    sight,
  };
}
