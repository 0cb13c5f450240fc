/**
 * While the gateway is away: the last picture of it stays, and the page says of when it is. It is kept in the
 * browser too, so that it is there after the page was loaded again.
 *
 * It is shown only when the gateway does not answer, and never once it has: nothing old looks as if it were live.
 */

import { byId, setShown, setText } from "./dom.js";
import { age, moment } from "./format.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./state.js").Model} Model */
/** @typedef {import("./live.js").Connection} Connection */
/** @typedef {import("../wire.d.ts").Frame} Frame */
/** @typedef {Extract<Frame, {type: "snapshot"}>} Snapshot */
/**
 * @typedef {object} Picture
 * @property {number} format
 * @property {number} skewMillis the gateway's clock minus ours
 * @property {Snapshot} frame
 */

const STORED = "mtom.picture";
/** Pages of another build read it too, as long as this stays. */
const FORMAT = 1;
/** Series that are kept: as many as have a card, and as browsers give room for. */
const SERIES_LEN_MAX = 1_000;

/**
 * What is known, as the gateway would say it.
 * @param {Model} model
 * @param {number} nowMillis
 * @returns {Picture | null} null: nothing is known
 */
export function pictureOf(model, nowMillis) {
  const { counts, skewMillis } = model;
  if (counts === null) return null;
  const now = nowMillis + skewMillis;
  /** @type {Snapshot} */
  const frame = {
    type: "snapshot",
    now: new Date(now).toISOString(),
    now_micros: now * 1_000,
    readings: [...model.series.values()].slice(0, SERIES_LEN_MAX).map(({ latest }) => latest),
    availability: [...model.availability.values()].slice(0, SERIES_LEN_MAX),
    actuators: [...model.actuators.values()],
    log: model.log,
    counts,
    rules: model.rules,
  };
  return { format: FORMAT, skewMillis, frame };
}

/**
 * @param {Page} page
 * @param {(frame: Snapshot) => void} onPicture
 */
export function createAway(page, onPicture) {
  const present = page.model;
  const place = byId("away");
  /** @type {Connection["state"]} */
  let state = "connecting";
  /** When the gateway was last heard, by our clock; null: never. */
  /** @type {number | null} */
  let heardMillis = null;
  let isAway = false;

  /** Keeps what is known, while it is true. */
  function keep() {
    if (state !== "open") return;
    heardMillis = Date.now();
    const picture = pictureOf(present, heardMillis);
    if (picture === null) return;
    try {
      localStorage.setItem(STORED, JSON.stringify(picture));
    } catch {
      // No room, or none for us: the picture lasts as long as the page.
    }
  }

  /** What is known is of that time, though no connection was open. @param {number} millis by our clock */
  function note(millis) {
    heardMillis = millis;
    render();
  }

  /** The picture that an earlier page has kept. */
  function restore() {
    const picture = stored();
    if (picture === null) return;
    const { frame, skewMillis } = picture;
    const nowMillis = Date.now();
    heardMillis = frame.now_micros / 1_000 - skewMillis;
    // Its ages go on from where they were.
    onPicture({ ...frame, now_micros: (nowMillis + skewMillis) * 1_000 });
  }

  /** @param {Connection} connection */
  function follow(connection) {
    if (connection.state === "waiting") {
      keep();
      if (!isAway && heardMillis === null) restore();
      isAway = true;
    }
    state = connection.state;
    if (state === "open") isAway = false;
    render();
  }

  function render() {
    setShown(place, isAway);
    if (!isAway) return;
    const { t, language } = page;
    const nowMillis = Date.now();
    const text =
      heardMillis === null
        ? t("away.nothing")
        : t("away.picture", {
            time: moment((heardMillis + present.skewMillis) * 1_000, nowMillis, language),
            age: age(nowMillis - heardMillis, t),
          });
    setText(place, text);
  }

  addEventListener("pagehide", keep);
  document.addEventListener("visibilitychange", keep);
  return { follow, render, note };
}

/** @returns {Picture | null} */
function stored() {
  try {
    /** @type {Picture | null} */
    const picture = JSON.parse(localStorage.getItem(STORED) ?? "null");
    return picture?.format === FORMAT ? picture : null;
  } catch {
    return null;
  }
}
