/** What several tests need: readings and frames as the gateway sends them. */

/** @typedef {import("../wire.d.ts").Reading} Reading */
/** @typedef {import("../wire.d.ts").Actuator} Actuator */
/** @typedef {Extract<import("../wire.d.ts").Frame, {type: "snapshot"}>} Snapshot */

/** 2026-11-23T08:06:30Z in microseconds. */
export const NOW_MICROS = 1_795_421_190_000_000;
export const NOW_MILLIS = NOW_MICROS / 1_000;

/**
 * @param {Partial<Reading>} [fields]
 * @returns {Reading}
 */
export function reading(fields = {}) {
  return {
    id: 1,
    device: "Environ",
    quantity: "Temperature",
    topic: "Environ/Temperature",
    value: 23.4,
    unit: "°C",
    celsius: 23.4,
    fahrenheit: 74.12,
    at: "2026-11-23T08:06:30.000000Z",
    at_micros: NOW_MICROS,
    arrived_at: "2026-11-23T08:06:30.000000Z",
    arrived_at_micros: NOW_MICROS,
    taken_at: null,
    taken_at_micros: null,
    suspect: false,
    boot: null,
    seq: null,
    ...fields,
  };
}

/**
 * @param {Partial<Actuator>} [fields]
 * @returns {Actuator}
 */
export function actuator(fields = {}) {
  return {
    name: "TEMP_LED",
    link: "tcp:127.0.0.1:7000",
    link_state: "up",
    link_reason: "",
    link_since: "2026-11-23T08:06:30.000000Z",
    link_since_micros: NOW_MICROS,
    link_down_since: null,
    link_down_since_micros: null,
    simulated: false,
    desired: null,
    reported: null,
    sent: null,
    firmware: null,
    trust: "unauthenticated",
    latency_micros: null,
    ...fields,
  };
}

/**
 * @param {Partial<Snapshot>} [fields]
 * @returns {Snapshot}
 */
export function snapshot(fields = {}) {
  return {
    type: "snapshot",
    now: "2026-11-23T08:06:30.000000Z",
    now_micros: NOW_MICROS,
    readings: [],
    availability: [],
    actuators: [],
    log: [],
    counts: { received: 0, stored: 0, duplicate: 0, rejected: 0, in_flight: 0, ignored: 0 },
    rules: [],
    ...fields,
  };
}
