/**
 * When the picture follows what is known: in the next frame where something was decided, obeyed, lost or found,
 * and at most ten times a second where nothing but readings flow. Nobody reads faster, and whoever has a
 * thousand devices can scroll meanwhile.
 *
 * Time comes from outside, so that a test can hold it.
 */

/** @typedef {import("./state.js").Part} Part */

/**
 * @typedef {object} World
 * @property {() => number} nowMillis
 * @property {(run: () => void) => void} inFrame
 * @property {(run: () => void, millis: number) => number} after
 * @property {(timer: number) => void} cancel
 */

/** What may wait for company. */
const CALM = /** @type {readonly Part[]} */ (["readings", "log", "counts"]);
/** Between two pictures of such. */
export const CALM_MILLIS = 100;

/** @type {World} */
const BROWSER = {
  nowMillis: () => performance.now(),
  inFrame: (run) => void requestAnimationFrame(run),
  after: (run, millis) => window.setTimeout(run, millis),
  cancel: (timer) => window.clearTimeout(timer),
};

/**
 * @param {(parts: Set<Part>) => void} paint
 * @param {World} [world]
 */
export function createPace(paint, world = BROWSER) {
  /** @type {Set<Part>} */
  const changed = new Set();
  /** @type {number | null} */
  let timer = null;
  let isInFrame = false;
  let paintedAt = Number.NEGATIVE_INFINITY;

  function show() {
    isInFrame = false;
    paintedAt = world.nowMillis();
    const parts = new Set(changed);
    changed.clear();
    paint(parts);
  }

  function hurry() {
    if (timer !== null) world.cancel(timer);
    timer = null;
    isInFrame = true;
    world.inFrame(show);
  }

  /** @param {readonly Part[]} parts what has changed */
  return (parts) => {
    for (const part of parts) changed.add(part);
    if (isInFrame || changed.size === 0) return;
    const isCalm = parts.every((part) => CALM.includes(part));
    const wait = paintedAt + CALM_MILLIS - world.nowMillis();
    if (!isCalm || wait <= 0) hurry();
    else if (timer === null) timer = world.after(hurry, wait);
  };
}
