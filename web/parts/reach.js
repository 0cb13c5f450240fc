/** How an ESP32 finds the broker, and what to type to try it. Pure. */

/** @typedef {import("../wire.d.ts").Status} Status */

const MQTT_PORT = "1883";

/**
 * `other`: other computers reach it by these addresses. `alone`: it listens for this computer only. `nowhere`: it
 * listens for others, but this computer is in no network.
 * @typedef {{kind: "other", addresses: string[]} | {kind: "alone"} | {kind: "nowhere"}} Reach
 */

/**
 * @param {Pick<Status, "listens" | "reach">} status
 * @returns {Reach}
 */
export function reachOf({ listens, reach }) {
  if (reach.length > 0) return { kind: "other", addresses: reach };
  const isEverywhere = /^(0\.0\.0\.0|\[::\]):/.test(listens.mqtt);
  return { kind: isEverywhere ? "nowhere" : "alone" };
}

/**
 * An address of a `host:port` as its two parts, the host without brackets.
 * @param {string} address
 */
export function parts(address) {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: address.slice(colon + 1) };
}

/**
 * The host that is asked for first, by whoever is on this computer or in its network.
 * @param {Pick<Status, "listens" | "reach">} status
 */
export function nearest({ listens, reach }) {
  const [first] = reach;
  if (first !== undefined) return parts(first);
  const { host, port } = parts(listens.mqtt);
  return { host: host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host, port };
}

/**
 * A command that writes firmware and settings onto a board which then publishes to that broker.
 * @param {string} address
 */
export function flashLine(address) {
  const { host, port } = parts(address);
  const bare = host.includes(":") ? `[${host}]` : host;
  const broker = port === MQTT_PORT ? bare : `${bare}:${port}`;
  return `mtom flash sensor --wifi-ssid NAME --wifi-password-file FILE --broker ${broker}`;
}

/**
 * A command that starts it so that other computers reach the broker.
 * @param {string} listens
 */
export function openLine(listens) {
  const { port } = parts(listens);
  return `mtom up --set broker.listen=0.0.0.0:${port} --set security.insecure=true`;
}
