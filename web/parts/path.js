/**
 * How each part of the path is, from the sensor to the actuator, and what to do about what is broken. Pure.
 *
 * What is broken is said in the words of `mtom doctor`, where that knows the part; a test holds the two together.
 */

import { latency, moment, number, plain } from "./format.js";
import { isStale } from "./state.js";

/** @typedef {import("./i18n.js").Key} Key */
/** @typedef {import("./i18n.js").Translate} Translate */
/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./state.js").Model} Model */
/** @typedef {import("../wire.d.ts").Path} Path */
/** @typedef {import("../wire.d.ts").Storage} Storage */
/** @typedef {"sensor" | "broker" | "gateway" | "store" | "rules" | "actuator"} Place */

/**
 * @typedef {object} Hop
 * @property {Place} place
 * @property {"good" | "idle" | "broken"} state
 * @property {string} figure how much passes; empty where nothing does
 * @property {string} latency of the way to it; empty where it is not known
 * @property {string} trouble what is wrong; empty where nothing is
 * @property {string} next what to do about it
 */

/**
 * @typedef {object} Known
 * @property {Model} model
 * @property {Path | null} path
 * @property {Storage["database"]} database
 * @property {boolean} isOpen the gateway is heard
 * @property {number} nowMillis
 */

/**
 * @param {Known} known
 * @param {Translate} t
 * @param {Language} language
 * @returns {Hop[]} in the order of the path
 */
export function hops(known, t, language) {
  const found = [sensor, broker, gateway, store, rules, actuator].map((judge) =>
    judge(known, t, language),
  );
  if (known.isOpen) return found;
  // Of the others nothing is known while nobody tells.
  return found.map((hop) =>
    hop.place === "gateway"
      ? hop
      : quiet(hop.place, known.model.series.size === 0 ? "" : hop.figure),
  );
}

/**
 * @param {Known} known
 * @param {Translate} t
 * @param {Language} language
 * @returns {Hop}
 */
function sensor({ model, path, nowMillis }, t, language) {
  const all = [...model.series.values()];
  const heard = all.filter((series) => !isStale(model, series, nowMillis));
  const hop = quiet("sensor", rate(path?.received_per_minute, t, language));
  if (all.length === 0) return hop;
  if (heard.length > 0) return { ...hop, state: "good" };
  return broken(hop, t("path.sensor.silent"), t("path.sensor.next"));
}

/**
 * @param {Known} known
 * @param {Translate} t
 * @param {Language} language
 * @returns {Hop}
 */
function broker({ model, path, nowMillis }, t, language) {
  const hop = quiet("broker", rate(path?.received_per_minute, t, language));
  hop.latency = span(path?.taken_to_arrived_micros, language);
  const lost = path?.broker_lost ?? null;
  if (lost !== null) {
    const time = moment(lost.since_micros, nowMillis, language);
    const { url, reason } = lost;
    const params = { url: plain(url), time, reason: plain(reason) };
    return broken(hop, t("path.broker.lost", params), t("path.broker.next"));
  }
  const waiting = model.counts?.in_flight ?? 0;
  if (waiting > 0) hop.latency ||= t("path.waiting", { count: number(waiting, language) });
  return { ...hop, state: path === null ? "idle" : "good" };
}

/**
 * @param {Known} known
 * @param {Translate} t
 * @param {Language} language
 * @returns {Hop}
 */
function gateway({ isOpen, path }, t, language) {
  const hop = quiet("gateway", rate(path?.received_per_minute, t, language));
  if (!isOpen) return broken(hop, t("path.gateway.away"), t("path.gateway.next"));
  return { ...hop, state: "good" };
}

/**
 * @param {Known} known
 * @param {Translate} t
 * @param {Language} language
 * @returns {Hop}
 */
function store({ path, database, nowMillis }, t, language) {
  const hop = quiet("store", rate(path?.stored_per_minute, t, language));
  hop.latency = span(path?.arrived_to_stored_micros, language);
  const since = path?.failing_since_micros ?? null;
  if (since !== null) {
    const time = moment(since, nowMillis, language);
    return broken(hop, t("path.store.failing", { time }), t("path.store.next"));
  }
  if (database?.state === "away") {
    const reason = plain(database.reason);
    return broken(hop, t("path.database.away", { reason }), t("path.database.next"));
  }
  return { ...hop, state: path === null ? "idle" : "good" };
}

/**
 * @param {Known} known
 * @param {Translate} t
 * @param {Language} language
 * @returns {Hop}
 */
function rules({ model, path, nowMillis }, t, language) {
  const hop = quiet("rules", rate(path?.decided_per_minute, t, language));
  hop.latency = span(path?.arrived_to_decided_micros, language);
  const [refused, blind, stuck] = [path?.rules_refused, path?.rules_blind, path?.alerts_stuck];
  if (refused) {
    const { version, reason } = refused;
    const said = t("path.rules.refused", { version, reason: plain(reason) });
    return broken(hop, said, t("path.rules.refused.next"));
  }
  if (blind) {
    const time = moment(blind.since_micros, nowMillis, language);
    const more = blind.more > 0 ? ` ${t("series.more", { count: blind.more })}` : "";
    const said = t("path.rules.blind", { rule: plain(blind.rule), time });
    return broken(hop, `${said}${more}`, t("path.rules.blind.next"));
  }
  if (stuck) {
    const said = t("path.rules.alerts", {
      count: number(stuck.waiting, language),
      rule: plain(stuck.rule),
      target: plain(stuck.target),
      time: moment(stuck.since_micros, nowMillis, language),
      reason: plain(stuck.reason),
    });
    return broken(hop, said, t("path.rules.alerts.next"));
  }
  return { ...hop, state: model.rules.length === 0 ? "idle" : "good" };
}

/**
 * @param {Known} known
 * @param {Translate} t
 * @param {Language} language
 * @returns {Hop}
 */
function actuator({ model, path }, t, language) {
  const hop = quiet("actuator", rate(path?.applied_per_minute, t, language));
  hop.latency = span(path?.decided_to_applied_micros, language);
  const all = [...model.actuators.values()];
  if (all.length === 0) return hop;
  const down = all.filter(({ link_state }) => link_state === "away" || link_state === "broken");
  const [first] = down;
  if (first === undefined) {
    const isUp = all.every(({ link_state }) => link_state === "up");
    return { ...hop, state: isUp ? "good" : "idle" };
  }
  const name = plain(first.name);
  const state = t(`link.${first.link_state}`);
  const said =
    first.link_reason === ""
      ? t("path.actuator.down", { name, state })
      : t("path.actuator.down.reason", { name, state, reason: plain(first.link_reason) });
  const more = down.length > 1 ? ` ${t("series.more", { count: down.length - 1 })}` : "";
  return broken(hop, `${said}${more}`, t("path.actuator.next", { name }));
}

/**
 * @param {Place} place
 * @param {string} figure
 * @returns {Hop}
 */
function quiet(place, figure) {
  return { place, state: "idle", figure, latency: "", trouble: "", next: "" };
}

/**
 * @param {Hop} hop
 * @param {string} trouble
 * @param {string} next
 * @returns {Hop}
 */
function broken(hop, trouble, next) {
  return { ...hop, state: "broken", trouble, next };
}

/**
 * @param {number | undefined} count
 * @param {Translate} t
 * @param {Language} language
 */
function rate(count, t, language) {
  return count === undefined ? "" : t("path.rate", { count: number(count, language) });
}

/**
 * @param {number | null | undefined} micros
 * @param {Language} language
 */
function span(micros, language) {
  return micros === null || micros === undefined ? "" : latency(micros, language);
}
