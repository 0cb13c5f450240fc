/**
 * The connection to `/live`: opens, reads, and when it is lost opens again, later and later.
 *
 * It says what it does: `connecting`, `open`, `waiting` with the time of the next try. Time, chance and
 * the socket come from outside, so that a test can hold them.
 */

/** @typedef {import("../wire.d.ts").Frame} Frame */
/** @typedef {{state: "connecting"} | {state: "open"} | {state: "waiting", untilMillis: number}} Connection */

/**
 * @typedef {object} World
 * @property {(url: string) => WebSocket} open
 * @property {() => number} nowMillis
 * @property {() => number} chance from 0 to 1
 * @property {(run: () => void, millis: number) => number} after
 * @property {(timer: number) => void} cancel
 */

const DELAY_MILLIS_FIRST = 500;
const DELAY_MILLIS_MAX = 15_000;

/** @type {World} */
const BROWSER = {
  open: (url) => new WebSocket(url),
  nowMillis: () => Date.now(),
  chance: () => Math.random(),
  after: (run, millis) => window.setTimeout(run, millis),
  cancel: (timer) => window.clearTimeout(timer),
};

/**
 * How long to wait before the next try: doubled each time, and never the same for two pages.
 * @param {number} tries that have failed, from 1
 * @param {number} chance from 0 to 1
 */
export function delayMillis(tries, chance) {
  const full = Math.min(DELAY_MILLIS_MAX, DELAY_MILLIS_FIRST * 2 ** (tries - 1));
  return Math.round(full * (0.75 + chance / 2));
}

/**
 * @param {string} url
 * @param {(frame: Frame) => void} onFrame
 * @param {(connection: Connection) => void} onConnection
 * @param {World} [world]
 */
export function connect(url, onFrame, onConnection, world = BROWSER) {
  let tries = 0;
  /** @type {number | null} */
  let timer = null;

  const open = () => {
    timer = null;
    onConnection({ state: "connecting" });
    const socket = world.open(url);
    socket.onmessage = (message) => {
      for (const frame of framesOf(message.data)) {
        if (frame.type === "snapshot") {
          tries = 0;
          onConnection({ state: "open" });
        }
        onFrame(frame);
      }
    };
    // An error is always followed by a close.
    socket.onclose = () => {
      tries += 1;
      const millis = delayMillis(tries, world.chance());
      timer = world.after(open, millis);
      onConnection({ state: "waiting", untilMillis: world.nowMillis() + millis });
    };
  };
  open();

  return {
    /** Tries at once, where it waits: the computer woke up, or the network is back. */
    hurry() {
      if (timer === null) return;
      world.cancel(timer);
      open();
    },
  };
}

/**
 * What a message says, in its order: the gateway packs what comes at about the same time into one.
 * @param {unknown} data
 * @returns {Frame[]}
 */
function framesOf(data) {
  const frame = parse(data);
  const frames = frame?.type === "batch" ? frame.frames : [frame];
  return frames.filter((each) => each !== null);
}

/**
 * @param {unknown} data
 * @returns {Frame | null}
 */
function parse(data) {
  if (typeof data !== "string") return null;
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
