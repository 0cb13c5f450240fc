/** The HTTP API. A refusal becomes an `Error` with the gateway's own words and its next step. */

/** @typedef {import("../wire.d.ts").Frame} Frame */
/** @typedef {import("../wire.d.ts").Status} Status */
/** @typedef {import("../wire.d.ts").ReadingPage} ReadingPage */
/** @typedef {import("../wire.d.ts").Rejects} Rejects */
/** @typedef {import("../wire.d.ts").Alerts} Alerts */
/** @typedef {import("../wire.d.ts").Storage} Storage */
/** @typedef {import("../wire.d.ts").Path} Path */
/** @typedef {import("../wire.d.ts").Clients} Clients */
/** @typedef {import("../wire.d.ts").DiscoveredThings} DiscoveredThings */
/** @typedef {import("../wire.d.ts").HomeAssistant} HomeAssistant */
/** @typedef {import("../wire.d.ts").Controllers} Controllers */
/** @typedef {import("../wire.d.ts").Simulated} Simulated */
/** @typedef {import("../wire.d.ts").Why} Why */
/** @typedef {import("../wire.d.ts").Chart} Chart */
/** @typedef {import("../wire.d.ts").Command} Command */
/** @typedef {import("../wire.d.ts").Rules} Rules */
/** @typedef {import("../wire.d.ts").RuleSets} RuleSets */
/** @typedef {import("../wire.d.ts").RuleStates} RuleStates */
/** @typedef {import("../wire.d.ts").RuleMistake} RuleMistake */
/** @typedef {import("../wire.d.ts").ReplayLine} ReplayLine */
/** @typedef {import("../wire.d.ts").ReplayProgress} ReplayProgress */
/** @typedef {import("../wire.d.ts").Comparison} Comparison */

/** What the page's head asks for before anything else. */
export const SNAPSHOT_PATH = "/api/v1/snapshot";

/** What the gateway has refused. */
export class Refusal extends Error {
  /**
   * @param {number} status of HTTP
   * @param {Partial<import("../wire.d.ts").Problem>} problem
   */
  constructor(status, problem) {
    super([problem.detail ?? `HTTP ${status}`, problem.next].join(": "));
    this.status = status;
    /** @type {RuleMistake[]} what is wrong with the rules that were sent */
    this.mistakes = problem.mistakes ?? [];
  }
}

/** @returns {Promise<Status>} */
export function status() {
  return get("/api/v1/status");
}

/**
 * What `/live` says first. The page's head has asked for it already, in these very words.
 * @returns {Promise<Frame>}
 */
export async function snapshot() {
  return (await ask(SNAPSHOT_PATH, {})).json();
}

/**
 * Times are in microseconds, or as the gateway writes them.
 * @typedef {object} ReadingsQuery
 * @property {string} [device]
 * @property {string} [quantity]
 * @property {string | number | null} [from]
 * @property {string | number | null} [until]
 * @property {number | null} [min]
 * @property {number | null} [max]
 * @property {"asc" | "desc"} order
 * @property {string | null} [after]
 * @property {number} limit
 */

/**
 * @param {ReadingsQuery} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<ReadingPage>}
 */
export function readings(query, signal) {
  return get(`/api/v1/readings?${queryText({ ...query })}`, signal);
}

/**
 * A stretch of one series in few points.
 * @param {{device: string, quantity: string, from: number, until: number, points: number}} asked times in seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<Chart>}
 */
export function chart({ from, until, ...asked }, signal) {
  const query = { ...asked, from: micros(from), until: micros(until) };
  return get(`/api/v1/chart?${queryText(query)}`, signal);
}

/**
 * The ledger of one actuator, newest first.
 * @param {{actuator: string, from?: number, until: number, limit: number}} asked times in seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<Command[]>}
 */
export async function commands({ from, until, ...asked }, signal) {
  const begin = from === undefined ? null : micros(from);
  const query = { ...asked, from: begin, until: micros(until) };
  return (await get(`/api/v1/commands?${queryText(query)}`, signal)).commands;
}

/**
 * Times are in microseconds.
 * @typedef {object} RejectsQuery
 * @property {string | null} device
 * @property {string | null} topic an MQTT topic filter
 * @property {string | null} code
 * @property {number | null} from
 * @property {number | null} until
 */

/**
 * @param {RejectsQuery & {limit: number, after: number | null}} query
 * @returns {Promise<Rejects>}
 */
export function rejects(query) {
  return get(`/api/v1/rejects?${queryText({ ...query })}`);
}

/**
 * What rules had to say, newest first.
 * @param {number} limit
 * @param {number | null} after
 * @returns {Promise<Alerts>}
 */
export function alerts(limit, after) {
  return get(`/api/v1/alerts?${queryText({ limit, after })}`);
}

/** @returns {Promise<Storage>} */
export function storage() {
  return get("/api/v1/storage");
}

/** @returns {Promise<Path>} */
export function path() {
  return get("/api/v1/path");
}

/** @returns {Promise<Clients>} */
export function clients() {
  return get("/api/v1/clients");
}

/** @returns {Promise<Controllers>} */
export function controllers() {
  return get("/api/v1/controllers");
}

/** @returns {Promise<HomeAssistant>} */
export function homeAssistant() {
  return get("/api/v1/homeassistant");
}

/** @returns {Promise<DiscoveredThings>} */
export function discovered() {
  return get("/api/v1/discovered");
}

/** @param {string} name */
export async function allowClient(name) {
  await ask("/api/v1/clients/allowed", {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
}

/** @param {string} name */
export async function withdrawClient(name) {
  await ask(`/api/v1/clients/allowed?${queryText({ name })}`, { method: "DELETE" });
}

/** @returns {Promise<Simulated>} */
export function simulator() {
  return get("/api/v1/simulator");
}

/** @param {number | null} celsius null: its own weather again */
export async function holdSimulator(celsius) {
  await ask("/api/v1/simulator/temperature", {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ celsius }),
  });
}

/**
 * Why an actuator is to be as it is, or was at a time; null where nothing was decided yet.
 * @param {string} actuator
 * @param {number | null} [at] in seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<Why | null>}
 */
export async function why(actuator, at = null, signal) {
  try {
    const query = { actuator, at: at === null ? null : micros(at) };
    return await get(`/api/v1/why?${queryText(query)}`, signal);
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return null;
    throw error;
  }
}

/**
 * Says by hand what an actuator is to be; `auto`: as the rules want.
 * @param {string} actuator
 * @param {"on" | "off" | "auto"} led
 * @param {number} [seconds]
 */
export async function setLed(actuator, led, seconds) {
  await ask(`/api/v1/actuators/${encodeURIComponent(actuator)}/set`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ led, seconds }),
  });
}

/**
 * The rules that run; by the tag the gateway knows them again.
 * @returns {Promise<Rules & {tag: string | null}>}
 */
export async function rules() {
  const answer = await ask("/api/v1/rules", { cache: "no-store" });
  return { ...(await answer.json()), tag: answer.headers.get("ETag") };
}

/**
 * The rules that ran at a time.
 * @param {number} at in microseconds
 * @returns {Promise<Rules>}
 */
export function rulesAt(at) {
  return get(`/api/v1/rules?${queryText({ at })}`);
}

/**
 * How the first so many rules are at this moment, and what they wait for.
 * @param {number} limit
 * @returns {Promise<RuleStates>}
 */
export function ruleStates(limit) {
  return get(`/api/v1/rules/state?${queryText({ limit })}`);
}

/**
 * @param {number} limit
 * @param {number | null} after
 * @returns {Promise<RuleSets>} the newest first, which runs
 */
export function ruleVersions(limit, after) {
  return get(`/api/v1/rules/versions?${queryText({ limit, after })}`);
}

/**
 * Only looks whether the rules could be taken.
 * @param {string} text
 * @param {AbortSignal} signal
 */
export async function checkRules(text, signal) {
  await ask("/api/v1/rules?check=true", { method: "PUT", headers: TOML, body: text, signal });
}

/**
 * @param {string} text
 * @param {string | null} tag of the rules whose place they take; others are left in theirs
 * @returns {Promise<number>} the version that runs now
 */
export async function applyRules(text, tag) {
  const path = `/api/v1/rules?${queryText({ source: "the page" })}`;
  const headers = { ...TOML, ...(tag !== null && { "If-Match": tag }) };
  return (await (await ask(path, { method: "PUT", headers, body: text })).json()).version;
}

/**
 * @param {number} version
 * @returns {Promise<number>} the version that runs now
 */
export async function rollBack(version) {
  const answer = await ask("/api/v1/rules/rollback", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ version }),
  });
  return (await answer.json()).version;
}

/**
 * What the rules would have done.
 * @param {string} text
 * @param {string} since as in `24h`
 * @param {AbortSignal} signal
 * @param {(progress: ReplayProgress) => void} onProgress
 * @returns {Promise<Comparison>}
 */
export async function replayRules(text, since, signal, onProgress) {
  const path = `/api/v1/rules/replay?${queryText({ since })}`;
  const answer = await ask(path, { method: "POST", headers: TOML, body: text, signal });
  for await (const line of lines(answer)) {
    /** @type {ReplayLine} */
    const said = JSON.parse(line);
    if ("comparison" in said) return said.comparison;
    if ("problem" in said) throw new Refusal(said.problem.status, said.problem);
    if ("progress" in said) onProgress(said.progress);
  }
  throw new Refusal(answer.status, { detail: "the answer has no end" });
}

const TOML = { "Content-Type": "application/toml" };

/**
 * The lines of an answer while they come.
 * @param {Response} answer
 */
export async function* lines(answer) {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest !== "") yield rest;
}

/** @param {Record<string, string | number | null | undefined>} query */
export function queryText(query) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) found.set(name, String(value));
  }
  return found.toString();
}

/** @param {number} seconds */
function micros(seconds) {
  return Math.round(seconds * 1e6);
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
async function get(path, signal) {
  return (await ask(path, { cache: "no-store", ...(signal && { signal }) })).json();
}

/**
 * @param {string} path
 * @param {RequestInit} how
 */
async function ask(path, how) {
  const answer = await fetch(path, how);
  if (answer.ok) return answer;
  throw new Refusal(answer.status, await answer.json().catch(() => ({})));
}
