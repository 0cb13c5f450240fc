/** The HTTP API. A refusal becomes an `Error` with the gateway's own words and its next step. */

/** @typedef {import("../wire.d.ts").Status} Status */
/** @typedef {import("../wire.d.ts").ReadingPage} ReadingPage */
/** @typedef {import("../wire.d.ts").Rejects} Rejects */
/** @typedef {import("../wire.d.ts").Storage} Storage */
/** @typedef {import("../wire.d.ts").Why} Why */

/** What the gateway has refused. */
class Refusal extends Error {
  /**
   * @param {number} status of HTTP
   * @param {Partial<import("../wire.d.ts").Problem>} problem
   */
  constructor(status, problem) {
    super([problem.detail ?? `HTTP ${status}`, problem.next].join(": "));
    this.status = status;
  }
}

/** @returns {Promise<Status>} */
export function status() {
  return get("/api/v1/status");
}

/**
 * @param {{device?: string, quantity?: string, order: "asc" | "desc", after?: string | null, limit: number}} query
 * @returns {Promise<ReadingPage>}
 */
export function readings(query) {
  return get(`/api/v1/readings?${queryText(query)}`);
}

/**
 * @param {number} limit
 * @returns {Promise<Rejects>}
 */
export function rejects(limit) {
  return get(`/api/v1/rejects?${queryText({ limit })}`);
}

/** @returns {Promise<Storage>} */
export function storage() {
  return get("/api/v1/storage");
}

/**
 * Why an actuator is to be as it is; null where nothing was decided yet.
 * @param {string} actuator
 * @returns {Promise<Why | null>}
 */
export async function why(actuator) {
  try {
    return await get(`/api/v1/why?${queryText({ actuator })}`);
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

/** @param {Record<string, string | number | null | undefined>} query */
export function queryText(query) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) found.set(name, String(value));
  }
  return found.toString();
}

/** @param {string} path */
async function get(path) {
  return (await ask(path, { cache: "no-store" })).json();
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
