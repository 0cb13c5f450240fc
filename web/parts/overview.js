/**
 * Every device as a card: its values in the person's unit, their age, a line of the last while; grey after
 * three missed readings, and said where it is offline.
 *
 * Cards on the screen are drawn at once, and the others when they come into sight or when it is their turn, so that
 * whoever searches, prints or hears the page finds them filled. A reading draws its own card, and its line moves on
 * once in a while: a thousand devices cost little more than those that are seen.
 */

import { readings } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { age, moment, plain } from "./format.js";
import { createSight } from "./sight.js";
import * as spark from "./spark.js";
import { ageMillis, isStale, seedTimes, seriesKey, usualMillis } from "./state.js";
import { svg } from "./svg.js";
import { inUnit } from "./unit.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./state.js").Series} Series */
/** @typedef {import("./guests.js").Away} Away */
/** @typedef {import("../wire.d.ts").Reading} Reading */

/**
 * One series on a card.
 * @typedef {object} Measure
 * @property {string} key
 * @property {HTMLButtonElement} button
 * @property {HTMLElement} value
 * @property {HTMLElement} when
 * @property {SVGPathElement} path
 * @property {import("./spark.js").Spot[]} spots
 * @property {boolean} isLoaded
 * @property {number} drawnAtMillis when its line was drawn
 */

/**
 * @typedef {object} Card
 * @property {string} device
 * @property {HTMLElement} element
 * @property {HTMLElement} said
 * @property {HTMLElement} list
 * @property {Map<string, Measure>} measures
 * @property {boolean} isSeen
 */

/**
 * @param {import("../wire.d.ts").Availability} said
 * @returns {Away}
 */
function awayBy({ since_micros: micros, since_latest: isAtLatest }) {
  return { micros, isAtLatest };
}

/** Devices that have a card; the rest is counted. */
const CARDS_LEN_MAX = 1_000;
/** Counting who is heard looks at everybody: no more often than that. */
const SUMMARY_MILLIS = 1_000;
/** A line is drawn anew no more often than that. */
const LINE_MILLIS = 1_000;
/** Cards that are made in one frame: more than a screen has, and the others soon after. */
const CARDS_AT_ONCE = 40;
/** The first ones are on the screen sooner. */
const CARDS_AT_FIRST = 16;
/** Cards out of sight that are drawn at a time … */
const TURN_LEN = 20;
/** … and how often. */
const TURN_MILLIS = 1_000;
/** Histories that are loaded at a time. */
const LOADS_MAX = 2;

/**
 * @param {Page} page
 * @param {(key: string) => void} onSelect
 * @param {(topic: string, isMissed: boolean) => Away | null} offlineSince where whoever sends there has left
 */
export function createOverview(page, onSelect, offlineSince) {
  const list = byId("devices");
  /** @type {Map<string, Card>} */
  const cards = new Map();
  /** @type {WeakMap<Element, Card>} */
  const ofElement = new WeakMap();
  /** @type {Measure[]} */
  const waiting = [];
  let loading = 0;
  /** Answers about another time are not taken. */
  let generation = 0;
  let summarizedAtMillis = 0;
  let isSoon = false;
  /** Of the cards out of sight the next to be drawn. */
  let turn = 0;
  let turnedAtMillis = Number.NEGATIVE_INFINITY;
  /** Cards that may show another time, language or unit: their turns come without a pause. */
  let late = 0;

  const sight = createSight(list, (element, isSeen) => {
    const card = ofElement.get(element);
    if (card === undefined) return;
    card.isSeen = isSeen;
    if (!isSeen) return;
    for (const measure of card.measures.values()) wantHistory(measure);
    drawCard(card);
  });

  /** @param {Measure} measure */
  function wantHistory(measure) {
    if (measure.isLoaded) return;
    measure.isLoaded = true;
    waiting.push(measure);
    void loadNext();
  }

  async function loadNext() {
    while (loading < LOADS_MAX) {
      const measure = waiting.shift();
      const series = measure === undefined ? undefined : page.model.series.get(measure.key);
      if (measure === undefined) return;
      if (series === undefined) continue;
      loading += 1;
      const mine = generation;
      const { device, quantity } = series.latest;
      const order = /** @type {const} */ ("desc");
      // What came after the time that is shown does not belong to it.
      const until = page.isReplay ? Math.floor(page.nowMillis() * 1_000) + 1 : null;
      const query = { device, quantity, order, until, limit: 80 };
      try {
        const found = (await readings(query)).readings.reverse();
        if (mine === generation) {
          seedTimes(
            page.model,
            measure.key,
            found.map(({ at_micros }) => at_micros),
          );
          for (const reading of found) addSpot(measure, reading);
          measure.drawnAtMillis = 0;
        }
      } catch {
        // The line begins with what comes from now on; the connection says that the gateway is away.
        if (mine === generation) measure.isLoaded = false;
      }
      loading -= 1;
    }
  }

  /**
   * @param {Measure} measure
   * @param {Reading} reading
   */
  function addSpot(measure, reading) {
    const usual = usualMillis(page.model.series.get(measure.key)?.times ?? []);
    const value = reading.celsius ?? reading.value;
    spark.add(measure.spots, { micros: reading.at_micros, value }, spark.spanMicros(usual));
  }

  /** Begins the lines again: what came while nobody was heard is missing in them. */
  function reload() {
    generation += 1;
    waiting.length = 0;
    const measures = [...cards.values()].flatMap((card) => [...card.measures.values()]);
    for (const measure of measures) {
      measure.spots = [];
      measure.isLoaded = false;
      measure.drawnAtMillis = 0;
      const latest = page.model.series.get(measure.key)?.latest;
      if (latest !== undefined) addSpot(measure, latest);
    }
    renderList();
    const seen = [...cards.values()].filter(({ isSeen }) => isSeen);
    for (const card of seen) for (const measure of card.measures.values()) wantHistory(measure);
  }

  /** Makes the cards of those who are there, and removes those of the others. */
  function renderList() {
    const gone = new Set(cards.keys());
    /** @type {Map<string, Series[]>} */
    const devices = new Map();
    for (const series of page.model.series.values()) {
      const { device } = series.latest;
      const known = devices.get(device);
      if (known === undefined) devices.set(device, [series]);
      else known.push(series);
    }
    const shown = [...devices].slice(0, CARDS_LEN_MAX);
    let place = list.firstElementChild;
    let made = 0;
    const room = cards.size === 0 ? CARDS_AT_FIRST : CARDS_AT_ONCE;
    for (const [device, all] of shown) {
      gone.delete(device);
      const known = cards.get(device);
      if (known === undefined) made += 1;
      if (made > room) continue;
      const card = known ?? makeCard(device);
      for (const series of all) if (!card.measures.has(series.key)) addMeasure(card, series);
      if (card.measures.size > all.length) removeGone(card);
      if (card.element === place) place = place.nextElementSibling;
      else list.insertBefore(card.element, place);
      if (known === undefined) drawCard(card);
    }
    for (const device of gone) removeCard(device);
    setShown(list, shown.length > 0);
    const more = devices.size - shown.length;
    setShown(byId("devices-more"), more > 0);
    setText(byId("devices-more"), page.t("series.more", { count: more }));
    summarizedAtMillis = 0;
    late = cards.size;
    sight.look();
    render();
    if (made > room) soon();
  }

  /** Makes further cards in the next frame. */
  function soon() {
    if (isSoon) return;
    isSoon = true;
    requestAnimationFrame(() => {
      isSoon = false;
      renderList();
    });
  }

  /** @param {string} device */
  function makeCard(device) {
    const said = el("span", "said small");
    const head = el("div", "device-head", el("h3", "foreign", plain(device)), said);
    const measures = el("ul", "");
    const element = el("li", "device", head, measures);
    /** @type {Card} */
    const card = { device, element, said, list: measures, measures: new Map(), isSeen: false };
    element.dataset.device = device;
    cards.set(device, card);
    ofElement.set(element, card);
    return card;
  }

  /** @param {string} device */
  function removeCard(device) {
    const card = cards.get(device);
    if (card === undefined) return;
    card.element.remove();
    cards.delete(device);
  }

  /** What the device has not, or had not yet, said. @param {Card} card */
  function removeGone(card) {
    for (const [key, { button }] of card.measures) {
      if (page.model.series.has(key)) continue;
      button.parentElement?.remove();
      card.measures.delete(key);
    }
  }

  /**
   * @param {Card} card
   * @param {Series} series
   */
  function addMeasure(card, series) {
    const value = el("span", "value");
    const when = el("span", "when");
    const path = svg("path", { class: "spark-line" });
    const box = `0 0 ${spark.WIDTH} ${spark.HEIGHT}`;
    const picture = svg("svg", { class: "spark own", viewBox: box, "aria-hidden": "true" }, path);
    const quantity = el("span", "foreign", plain(series.latest.quantity));
    const foot = el("span", "foot-line", quantity, when);
    const button = el("button", "measure", value, picture, foot);
    button.type = "button";
    button.dataset.quantity = series.latest.quantity;
    button.addEventListener("click", () => onSelect(series.key));
    const { key } = series;
    const texts = { key, button, value, when, path };
    /** @type {Measure} */
    const measure = { ...texts, spots: [], isLoaded: false, drawnAtMillis: 0 };
    card.measures.set(key, measure);
    card.list.append(el("li", "", button));
    addSpot(measure, series.latest);
    if (card.isSeen) wantHistory(measure);
  }

  /** @param {readonly Reading[]} fresh */
  function add(fresh) {
    /** @type {Set<Card>} */
    const changed = new Set();
    for (const reading of fresh) {
      const card = cards.get(reading.device);
      const measure = card?.measures.get(seriesKey(reading));
      if (card === undefined || measure === undefined) continue;
      addSpot(measure, reading);
      if (card.isSeen) changed.add(card);
    }
    for (const card of changed) drawCard(card);
    summarize();
  }

  /** What is on the screen, and some of what is not. */
  function render() {
    for (const card of cards.values()) if (card.isSeen) drawCard(card);
    drawTurn();
    summarize();
  }

  /** By the browser's own clock: that of a replay may stand still, or jump. */
  function drawTurn() {
    const millis = performance.now();
    if (late <= 0 && millis - turnedAtMillis < TURN_MILLIS) return;
    turnedAtMillis = millis;
    late -= TURN_LEN;
    const unseen = [...cards.values()].filter(({ isSeen }) => !isSeen);
    turn = turn < unseen.length ? turn : 0;
    for (const card of unseen.slice(turn, turn + TURN_LEN)) drawCard(card);
    turn += TURN_LEN;
  }

  /** @param {Card} card */
  function drawCard(card) {
    const { model, t, language } = page;
    const now = page.nowMillis();
    let isSilent = true;
    /** @type {Away | null} */
    let left = null;
    for (const measure of card.measures.values()) {
      const series = model.series.get(measure.key);
      if (series === undefined) continue;
      const stale = isStale(model, series, now);
      isSilent &&= stale;
      left = offlineSince(series.latest.topic, stale) ?? left;
      measure.button.classList.toggle("is-stale", stale);
      measure.button.setAttribute("aria-pressed", String(series.key === model.selected));
      setText(measure.value, inUnit(series.latest, page.unit, language));
      const millis = ageMillis(model, series, now);
      const text = millis < 1_000 ? t("now.fresh") : t("now.ago", { age: age(millis, t) });
      setText(measure.when, text);
      drawLine(measure, series, now);
    }
    // What a device says of itself counts before what is known of its connection.
    const said = model.availability.get(card.device);
    if (said !== undefined) left = said.available ? null : awayBy(said);
    card.element.dataset.state = left !== null ? "offline" : isSilent ? "stale" : "fresh";
    setText(card.said, left !== null ? offline(left, now) : isSilent ? t("device.silent") : "");
  }

  /**
   * @param {Away} left
   * @param {number} nowMillis
   */
  function offline({ micros, isAtLatest }, nowMillis) {
    const key = isAtLatest ? "device.offline.latest" : "device.offline";
    return page.t(key, { time: moment(micros, nowMillis, page.language) });
  }

  /**
   * @param {Measure} measure
   * @param {Series} series
   * @param {number} now
   */
  function drawLine(measure, series, now) {
    // By the browser's own clock: that of a replay may stand still, or jump.
    const drawnAt = performance.now();
    if (measure.drawnAtMillis > 0 && drawnAt - measure.drawnAtMillis < LINE_MILLIS) return;
    measure.drawnAtMillis = drawnAt;
    const micros = (now + page.model.skewMillis) * 1_000;
    const d = spark.line(measure.spots, usualMillis(series.times), micros);
    if (measure.path.getAttribute("d") !== d) measure.path.setAttribute("d", d);
  }

  function summarize() {
    const { model, t } = page;
    const now = page.nowMillis();
    if (now - summarizedAtMillis < SUMMARY_MILLIS) return;
    summarizedAtMillis = now;
    const speaking = new Set();
    const all = new Set();
    for (const series of model.series.values()) {
      const { device } = series.latest;
      all.add(device);
      const isGone = model.availability.get(device)?.available === false;
      if (!isGone && !isStale(model, series, now)) speaking.add(device);
    }
    const text = t("overview.summary", { count: all.size, speaking: speaking.size });
    setText(byId("overview-summary"), all.size === 0 ? "" : text);
  }

  return { renderList, reload, render, add };
}
