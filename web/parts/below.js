/**
 * The parts of the page below its first screen: the chart, the history, the rules and what became of them, the log,
 * and the dialogs. They are fetched when what the live socket says first is on the screen, so that this comes sooner.
 */

import { createAlerts } from "./alerts.js";
import { createChart } from "./chart.js";
import { createControllers } from "./controllers.js";
import { createEdit } from "./edit.js";
import { createHistory } from "./history.js";
import { createHouse } from "./house.js";
import { createLog } from "./log.js";
import { createPlayer } from "./player.js";
import { createRejects } from "./rejects.js";
import { createRules } from "./rules.js";
import { createStorage } from "./storage.js";
import { createWhy } from "./why.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./state.js").Part} Part */
/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {ReturnType<typeof createBelow>} Below */

/**
 * @typedef {object} Host
 * @property {() => boolean} isOpen the gateway is there
 * @property {(name: string) => void} focusLed
 * @property {(parts: Part[]) => void} onChange what is shown has become another one
 */

/**
 * @param {Page} page
 * @param {Host} host
 */
export function createBelow(page, { isOpen, focusLed, onChange }) {
  const chart = createChart(page);
  const why = createWhy(page, focusLed);
  const edit = createEdit(page);
  const rules = createRules(
    page,
    isOpen,
    () => edit.open(),
    (found) => edit.follow(found),
  );
  const alerts = createAlerts(page);
  const controllers = createControllers(page, isOpen);
  const log = createLog(page);
  const history = createHistory(page);
  const rejects = createRejects(page);
  const house = createHouse(page, isOpen);
  const storage = createStorage(page);
  const player = createPlayer(page, { onChange, sight: chart.sight });
  /** @type {string | null} */
  let charted = null;

  relabel();
  void history.reset();

  /**
   * Shows what has changed.
   * @param {Set<Part>} parts
   * @param {readonly Reading[]} fresh
   */
  function paint(parts, fresh) {
    const { model } = page;
    const all = parts.has("snapshot");
    if (all || parts.has("series")) {
      if (!page.isReplay) history.listSeries();
      chart.offer();
    }
    if (all || charted !== model.selected) {
      charted = model.selected;
      void chart.load();
    } else if (fresh.length > 0) {
      chart.add(fresh);
    }
    if (fresh.length > 0 && !page.isReplay) history.note(fresh);
    if (parts.has("actuators") && !all) chart.loadDriven();
    if (all || parts.has("actuators")) controllers.render();
    if (all) house.render();
    if (all || parts.has("actuators") || parts.has("log")) why.follow(all);
    if (all || parts.has("log")) {
      rules.follow(all);
      if (!page.isReplay) alerts.follow(all);
    }
    if (all) log.renderAll();
    else if (parts.has("log")) log.append();
    if (all || parts.has("counts")) void rejects.render();
  }

  /** Every text anew, in the page's language. */
  function relabel() {
    chart.relabel();
    rules.render();
    alerts.render();
    controllers.relabel();
    log.relabel();
    history.relabel();
    rejects.relabel();
    house.relabel();
    player.relabel();
    storage.render();
  }

  /** The values in another unit. */
  function convert() {
    chart.relabel();
    history.relabel();
  }

  /** The gateway is there again. */
  function resume() {
    void storage.load();
    void controllers.load();
    void house.load();
    history.resume();
  }

  /** Time has passed. */
  function tick() {
    rules.tick();
    chart.draw();
  }

  return {
    paint,
    relabel,
    convert,
    resume,
    tick,
    loadChart: () => void chart.load(),
    tellWhy: why.open,
    isDirty: edit.isDirty,
  };
}
