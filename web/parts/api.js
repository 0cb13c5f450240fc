/** The HTTP API. A refusal becomes an `Error` with the gateway's own words and its next step. */

/** @typedef {import("../wire.d.ts").Status} Status */
/** @typedef {import("../wire.d.ts").ReadingPage} ReadingPage */
/** @typedef {import("../wire.d.ts").Rejects} Rejects */
/** @typedef {import("../wire.d.ts").Storage} Storage */

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
  const answer = await fetch(path, { cache: "no-store" });
  if (answer.ok) return answer.json();
  /** @type {Partial<import("../wire.d.ts").Problem>} */
  const problem = await answer.json().catch(() => ({}));
  throw new Error([problem.detail ?? `HTTP ${answer.status}`, problem.next].join(": "));
}
