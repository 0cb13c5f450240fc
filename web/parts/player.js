/**
 * Plays the past: the page shows a time as it was, from the history and the ledger.
 *
 * Only the page moves: nothing is published, and no actuator is told anything. The live model goes on
 * unseen, and is shown again at the end. The page says all the while that it is not the present.
 */

import { commands, Refusal, readings, rulesAt } from "./api.js";
import { byId, el, setShown, setText } from "./dom.js";
import { plain, stamp } from "./format.js";
import { framesOf, happenings, pastActuator } from "./past.js";
import { apply, createModel, select, seriesKey } from "./state.js";
import { fromField, toField } from "./times.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./state.js").Model} Model */
/** @typedef {import("./state.js").Part} Part */
/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {import("./past.js").Happening} Happening */

const SPEEDS = [1, 10, 60, 600, 3_600];
const SPEED_FIRST = 60;
const TICK_MILLIS = 100;
const PAGE_LEN = 1_000;
/** Series that are asked for one by one, where the newest readings of all do not have them. */
const ASKED_MAX = 50;
/** How long before a stretch a command may have been decided that is answered in it. */
const ANSWER_MICROS = 60e6;
/** Steps of the slider; each is at least a second. */
const STEPS = 2_000;
const SPAN_MICROS_MIN = 1e6;
const CLOCK_MICROS = 1e6;

/**
 * @param {Page} page
 * @param {object} host
 * @param {(parts: Part[]) => void} host.onChange
 * @param {() => [number, number]} host.sight what the chart shows, in seconds
 */
export function createPlayer(page, { onChange, sight }) {
  const panel = byId("player");
  const opener = byId("player-open");
  /** @type {HTMLButtonElement} */
  const edit = byId("rules-edit");
  const play = byId("player-play");
  /** @type {HTMLInputElement} */
  const slider = byId("player-slider");
  /** @type {HTMLSelectElement} */
  const speed = byId("player-speed");
  /** @type {HTMLInputElement} */
  const fromInput = byId("player-from");
  /** @type {HTMLInputElement} */
  const untilInput = byId("player-until");
  const nowMillis = page.nowMillis;
  const live = page.model;
  /** The stretch, and where in it the page is; microseconds. */
  let [from, until, at] = [0, 0, 0];
  /** @type {Happening[]} what comes next */
  let ahead = [];
  /** Up to here what happens is known. */
  let known = 0;
  /** @type {string | null} where the history goes on */
  let cursor = null;
  let isFetching = false;
  let isPlaying = false;
  /** @type {number | null} what is wanted while another time is on its way */
  let wanted = null;
  let isSeeking = false;
  /** Answers to older questions are not taken. */
  let generation = 0;
  let logId = 0;
  let tickedAt = 0;
  let failure = "";
  /** When other rules take the place of those that are shown. */
  let rulesUntil = Number.POSITIVE_INFINITY;
  /** The rules of then can no longer be read: today's are shown. */
  let hasTodaysRules = false;
  let isReruling = false;
  /** The time that is wanted could not be shown: there is nothing to go on from. */
  let hasFailed = false;

  opener.addEventListener("click", open);
  byId("player-close").addEventListener("click", close);
  play.addEventListener("click", () => (isPlaying ? pause() : start()));
  slider.addEventListener("input", () => void seek(from + Number(slider.value) * stepMicros()));
  for (const field of [fromInput, untilInput]) field.addEventListener("change", restretch);
  setInterval(tick, TICK_MILLIS);

  function open() {
    if (page.isReplay) {
      close();
      return;
    }
    const [begin, end] = sight();
    [from, until] = [Math.round(begin * 1e6), Math.round(end * 1e6)];
    // The browser's idea of the gateway's clock may be a little late.
    until = Math.max(until + CLOCK_MICROS, from + SPAN_MICROS_MIN);
    at = from;
    forget();
    page.isReplay = true;
    page.nowMillis = () => at / 1_000;
    document.body.dataset.replay = "";
    hold(true);
    setShown(panel, true);
    label();
    play.focus();
    void seek(from);
  }

  function close() {
    generation += 1;
    forget();
    pause();
    page.isReplay = false;
    page.nowMillis = nowMillis;
    page.model = live;
    live.fresh = [];
    delete document.body.dataset.replay;
    hold(false);
    setShown(panel, false);
    label();
    onChange(["snapshot"]);
    opener.focus();
  }

  /**
   * What would change the real house cannot be pressed meanwhile.
   * @param {boolean} isHeld
   */
  function hold(isHeld) {
    byId("first").inert = isHeld;
    edit.disabled = isHeld;
  }

  /** Nothing of a stretch is left for the next one, nor for the present. */
  function forget() {
    [ahead, known, cursor] = [[], from, null];
    [wanted, hasFailed] = [null, false];
  }

  /** Whether the page shows the past, so that it can go on. */
  const isReady = () => page.isReplay && page.model !== live && !hasFailed;

  function restretch() {
    const [begin, end] = [fromField(fromInput.value), fromField(untilInput.value)];
    if (begin === null || end === null || end - begin < SPAN_MICROS_MIN) {
      failure = page.t("player.wrong");
      label();
      return;
    }
    failure = "";
    [from, until] = [begin, end];
    void seek(from);
  }

  /** @param {number} micros */
  async function seek(micros) {
    wanted = Math.min(until, Math.max(from, Math.round(micros)));
    failure = "";
    at = wanted;
    label();
    if (isSeeking) return;
    isSeeking = true;
    try {
      while (wanted !== null && page.isReplay) {
        const target = wanted;
        wanted = null;
        generation += 1;
        await show(target, generation);
      }
    } finally {
      isSeeking = false;
    }
  }

  /**
   * The page as it was at that time.
   * @param {number} micros
   * @param {number} mine
   */
  async function show(micros, mine) {
    try {
      const [latest, actuators, ruled] = await Promise.all([
        latestBy(micros),
        actuatorsBy(micros),
        rulesBy(micros),
      ]);
      if (mine !== generation || wanted !== null) return;
      at = micros;
      const model = createModel();
      const frame = {
        type: /** @type {const} */ ("snapshot"),
        now: new Date(micros / 1_000).toISOString(),
        now_micros: micros,
        readings: latest,
        // Who was away then is not kept.
        availability: [],
        actuators,
        log: [],
        counts: { received: 0, stored: 0, duplicate: 0, rejected: 0, in_flight: 0, ignored: 0 },
        rules: ruled.rules,
      };
      apply(model, frame, micros / 1_000);
      takeRules(model, ruled);
      // The account is that of the present, and stays.
      model.counts = null;
      if (page.model.selected !== null && page.model.pinned) select(model, page.model.selected);
      page.model = model;
      hasFailed = false;
      // What is still asked of another time is not taken for what comes next.
      generation += 1;
      [ahead, known, cursor] = [[], micros, null];
      onChange(["snapshot"]);
      void fetchAhead();
    } catch (error) {
      if (mine !== generation || wanted !== null) return;
      hasFailed = true;
      fail(error);
    }
    label();
  }

  /**
   * The newest reading of each series by then.
   * @param {number} micros
   */
  async function latestBy(micros) {
    const asked = { until: micros + 1, order: /** @type {const} */ ("desc") };
    /** @type {Map<string, Reading>} */
    const found = new Map();
    for (const reading of (await readings({ ...asked, limit: PAGE_LEN })).readings) {
      const key = seriesKey(reading);
      if (!found.has(key)) found.set(key, reading);
    }
    const missing = [...live.series.values()].filter(({ key }) => !found.has(key));
    const others = missing.slice(0, ASKED_MAX).map(async ({ latest: { device, quantity } }) => {
      return (await readings({ ...asked, device, quantity, limit: 1 })).readings;
    });
    for (const reading of (await Promise.all(others)).flat()) {
      found.set(seriesKey(reading), reading);
    }
    return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, reading]) => reading);
  }

  /**
   * The rules that ran then; today's where those cannot be read by this version of mtom.
   * @param {number} micros
   */
  async function rulesBy(micros) {
    try {
      const { rules, version, until_micros } = await rulesAt(micros);
      return { rules, version, end: until_micros ?? Number.POSITIVE_INFINITY, isTodays: false };
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 422) throw error;
      return { rules: live.rules, version: null, end: Number.POSITIVE_INFINITY, isTodays: true };
    }
  }

  /**
   * @param {Model} model
   * @param {Awaited<ReturnType<typeof rulesBy>>} ruled
   */
  function takeRules(model, { rules, version, end, isTodays }) {
    [model.rules, model.ruleSet] = [rules, version];
    [rulesUntil, hasTodaysRules] = [end, isTodays];
  }

  /** Other rules have taken their place meanwhile. */
  async function rerule() {
    if (isReruling || at < rulesUntil) return;
    isReruling = true;
    const mine = generation;
    try {
      const ruled = await rulesBy(Math.ceil(at));
      if (mine !== generation) return;
      takeRules(page.model, ruled);
      const { version } = ruled;
      if (version === null) return;
      const event = {
        kind: /** @type {const} */ ("rules_applied"),
        version: version.version,
        count: ruled.rules.length,
        source: version.source,
      };
      const { applied_at: time, applied_at_micros: micros } = version;
      const entry = { id: logId, at: time, at_micros: micros, hop: "rules", text: "", event };
      logId += 1;
      onChange(apply(page.model, { type: "log", entry }, at / 1_000));
    } catch (error) {
      if (mine === generation) fail(error);
    } finally {
      isReruling = false;
    }
  }

  /** @param {number} micros */
  function actuatorsBy(micros) {
    return Promise.all(
      [...live.actuators.values()].map(async (actuator) => {
        const until = (micros + 1) / 1e6;
        const [stood] = await commands({ actuator: actuator.name, until, limit: 1 });
        return pastActuator(actuator, stood ?? null, micros, page.t("player.link"));
      }),
    );
  }

  /** What happens next, one page of it at a time. */
  async function fetchAhead() {
    if (isFetching || ahead.length > 0 || known >= until || !page.isReplay) return;
    isFetching = true;
    const mine = generation;
    try {
      const answer = await readings({
        from: known + (cursor === null ? 1 : 0),
        until: until + 1,
        order: "asc",
        after: cursor,
        limit: PAGE_LEN,
      });
      const end = answer.next === null ? until : (answer.readings.at(-1)?.at_micros ?? until);
      const span = { from: (known - ANSWER_MICROS) / 1e6, until: (end + 1) / 1e6, limit: PAGE_LEN };
      const told = await Promise.all(
        [...live.actuators.keys()].map((actuator) => commands({ ...span, actuator })),
      );
      if (mine !== generation) return;
      ahead = happenings(answer.readings, told.flat(), known, end);
      [known, cursor] = [end, answer.next];
    } catch (error) {
      if (mine === generation) fail(error);
    } finally {
      isFetching = false;
    }
    if (mine !== generation) void fetchAhead();
  }

  function start() {
    if (!isReady()) return;
    if (at >= until) void seek(from);
    isPlaying = true;
    tickedAt = performance.now();
    label();
  }

  function pause() {
    isPlaying = false;
    label();
  }

  function tick() {
    if (!isPlaying) return;
    const present = performance.now();
    const elapsed = (present - tickedAt) * 1_000 * Number(speed.value);
    tickedAt = present;
    if (isSeeking || !isReady()) return;
    // It never goes on before it is known what happens.
    at = Math.min(at + elapsed, known, until);
    /** @type {Set<Part>} */
    const parts = new Set();
    const come = ahead.findIndex(({ atMicros }) => atMicros > at);
    for (const happening of ahead.splice(0, come < 0 ? ahead.length : come)) {
      for (const frame of framesOf(happening, page.model, logId)) {
        if (frame.type === "log") logId += 1;
        for (const part of apply(page.model, frame, at / 1_000)) parts.add(part);
      }
    }
    if (parts.size > 0) onChange([...parts]);
    void rerule();
    if (at >= until) pause();
    else void fetchAhead();
    label();
  }

  /** @param {unknown} error */
  function fail(error) {
    isPlaying = false;
    const reason = plain(error instanceof Error ? error.message : String(error), 600);
    failure = page.t("player.failed", { reason });
    label();
  }

  const stepMicros = () => Math.max(1e6, (until - from) / STEPS);

  function label() {
    const { t, language } = page;
    opener.setAttribute("aria-expanded", String(page.isReplay));
    setText(play, t(isPlaying ? "player.pause" : "player.play"));
    // Not `disabled`: the focus stays on it while the first time is on its way.
    play.setAttribute("aria-disabled", String(!isReady()));
    setText(byId("player-time"), stamp(at, language));
    const { ruleSet } = page.model;
    const ruled = ruleSet === null ? "" : t("player.rules", { version: ruleSet.version });
    setText(byId("player-rules"), hasTodaysRules ? t("player.rules.today") : ruled);
    setText(byId("player-failure"), failure);
    slider.max = String(Math.max(1, Math.ceil((until - from) / stepMicros())));
    if (!isSeeking) slider.value = String(Math.round((at - from) / stepMicros()));
    slider.setAttribute("aria-valuetext", stamp(at, language));
    for (const [field, micros] of /** @type {const} */ ([
      [fromInput, from],
      [untilInput, until],
    ])) {
      if (document.activeElement !== field) field.value = toField(micros);
    }
  }

  function relabel() {
    const chosen = speed.value || String(SPEED_FIRST);
    speed.replaceChildren(
      ...SPEEDS.map((times) => {
        const made = el("option", "", page.t("player.times", { times }));
        made.value = String(times);
        return made;
      }),
    );
    speed.value = chosen;
    label();
  }

  relabel();
  return { relabel };
}
