/**
 * A house in which nothing moves: what the page is told, the same each time, at a time that stands still. Pictures
 * of it are the same from run to run. The page's own files come from the real binary.
 */

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("../../wire.d.ts").Reading} Reading */
/** @typedef {import("../../wire.d.ts").LogEvent} LogEvent */
/** @typedef {import("../../wire.d.ts").Actuator} Actuator */
/** @typedef {import("../../wire.d.ts").Command} Command */
/** @typedef {import("../../wire.d.ts").RuleStates} RuleStates */
/** @typedef {import("../../wire.d.ts").Frame} Frame */

/** 2026-11-23T08:06:30Z */
const NOW_MILLIS = 1_795_421_190_000;
const SECOND = 1_000_000;
const NOW = NOW_MILLIS * 1_000;
const TOPIC = "Environ/Temperature";
/** Readings of the chart, one every two seconds. */
const POINTS = 300;

/** @param {number} micros */
const text = (micros) => new Date(micros / 1_000).toISOString().replace("Z", "000Z");

/**
 * @param {string} device
 * @param {string} quantity
 * @param {number} value
 * @param {string} unit
 * @param {number} id
 * @param {number} seconds ago
 * @returns {Reading}
 */
function reading(device, quantity, value, unit, id, seconds) {
  const at = NOW - seconds * SECOND;
  const celsius = unit === "°C" ? value : null;
  return {
    id,
    device,
    quantity,
    topic: `${device}/${quantity}`,
    value,
    unit,
    celsius,
    fahrenheit: celsius === null ? null : celsius * 1.8 + 32,
    at: text(at),
    at_micros: at,
    arrived_at: text(at),
    arrived_at_micros: at,
    taken_at: text(at),
    taken_at_micros: at,
    suspect: false,
    boot: null,
    seq: null,
  };
}

/** The weather so many seconds ago. @param {number} seconds */
const weather = (seconds) => Math.round(10 * (24.4 + 2.2 * Math.cos(seconds / 68))) / 10;
/** Nobody heard it then. @param {number} seconds */
const isHole = (seconds) => seconds > 240 && seconds < 300;

const LATEST = [
  reading("Environ", "Temperature", weather(0), "°C", 4_210, 0),
  reading("Environ/attic", "Temperature", 31.5, "°C", 4_010, 400),
  reading("Environ/cellar", "Humidity", 71, "%", 4_207, 2),
  reading("Environ/cellar", "Temperature", 9.5, "°C", 4_208, 2),
  reading("Environ/garden", "Temperature", -3.2, "°C", 3_950, 900),
  reading("Environ/kitchen", "Humidity", 41.5, "%", 4_205, 1),
  reading("Environ/kitchen", "Temperature", 22.1, "°C", 4_206, 1),
];

/** @param {string | null} device @param {string | null} quantity @param {number} limit */
function readings(device, quantity, limit) {
  const chosen = LATEST.filter(
    (one) => (device ?? one.device) === one.device && (quantity ?? one.quantity) === one.quantity,
  );
  const all = Array.from({ length: 60 }, (_, step) => step * 2)
    .flatMap((seconds) =>
      chosen.map((one) => {
        const ago = (NOW - one.at_micros) / SECOND + seconds;
        const value = Math.round(10 * (one.value + 0.8 * Math.sin(seconds / 9))) / 10;
        return reading(one.device, one.quantity, value, one.unit, one.id - seconds * 7, ago);
      }),
    )
    .sort((a, b) => b.at_micros - a.at_micros || b.id - a.id);
  return { readings: all.slice(0, limit), next: "more" };
}

function chart() {
  const seconds = Array.from({ length: POINTS }, (_, step) => (POINTS - step) * 2 - 2);
  return {
    unit: "°C",
    level: "raw",
    width_micros: 0,
    points: seconds
      .filter((ago) => !isHole(ago))
      .map((ago) => {
        const mean = weather(ago);
        const id = 4_210 - ago / 2;
        const one = { min: mean, max: mean, mean, last: mean };
        return { at_micros: NOW - ago * SECOND, id, count: 1, ...one };
      }),
    gaps: [{ from_micros: NOW - 300 * SECOND, until_micros: NOW - 240 * SECOND }],
  };
}

const RULES = [
  { name: "heat", when: TOPIC, on: "celsius >= 25.0", off: null, actuators: ["TEMP_LED"] },
  {
    name: "damp cellar",
    when: "Environ/cellar/Humidity",
    on: "value > 70.0 && series('Environ/cellar/Temperature') < 12.0",
    off: "value < 65.0",
    actuators: ["FAN"],
  },
];
const VERSION = {
  version: 3,
  applied_at: text(NOW - 7_200 * SECOND),
  applied_at_micros: NOW - 7_200 * SECOND,
  source: "the page",
  text: "",
};

/** What they wait for at that moment. @type {RuleStates} */
const STATES = {
  now: text(NOW),
  now_micros: NOW,
  rules: [
    {
      name: "heat",
      state: "on",
      since: text(NOW - 88 * SECOND),
      since_micros: NOW - 88 * SECOND,
      reading: 4_166,
      condition: "celsius >= 25.0 (25.1)",
      silent: false,
      in_force: true,
      blind_since: null,
      blind_since_micros: null,
      pending: [
        { timer: "max_age", does: "off", at: text(NOW + 9 * SECOND), at_micros: NOW + 9 * SECOND },
      ],
    },
    {
      name: "damp cellar",
      state: "unknown",
      since: null,
      since_micros: null,
      reading: null,
      condition: "",
      silent: false,
      in_force: true,
      blind_since: null,
      blind_since_micros: null,
      pending: [],
    },
  ],
  totals: { on: 1, off: 0, unknown: 1 },
  actuators: [],
  actuators_len: 0,
  next: null,
};

/** @param {number} number @param {"on" | "off"} led @param {number} seconds ago @returns {Command} */
function command(number, led, seconds) {
  const at = NOW - seconds * SECOND;
  const [sent, applied] = [at + 1_200, at + 4_700];
  return {
    number,
    actuator: "TEMP_LED",
    led,
    rule: "heat",
    rule_version: "3",
    condition: led === "on" ? "celsius >= 25.0" : "!(celsius >= 25.0)",
    reading: 4_210 - seconds / 2,
    cause: `reading ${4_210 - seconds / 2}: ${TOPIC} ${led === "on" ? "25.1" : "24.9"} °C`,
    decided_at: text(at),
    decided_at_micros: at,
    sent_at: text(sent),
    sent_at_micros: sent,
    applied_at: text(applied),
    applied_at_micros: applied,
    refused_at: null,
    refused_at_micros: null,
    refused_reason: null,
  };
}
const COMMANDS = [command(18, "on", 88), command(17, "off", 332), command(16, "on", 520)];

/** @param {string} name @param {Partial<Actuator>} fields @returns {Actuator} */
function actuator(name, fields) {
  const since = NOW - 5_400 * SECOND;
  return {
    name,
    link: "tcp:192.168.1.30:7000",
    link_state: "up",
    link_reason: "",
    link_since: text(since),
    link_since_micros: since,
    link_down_since: null,
    link_down_since_micros: null,
    simulated: false,
    desired: null,
    reported: null,
    sent: null,
    firmware: "mtom-actuator 0.1.0",
    trust: "authenticated",
    latency_micros: 4_700,
    ...fields,
  };
}

/** @param {number} number @param {"on" | "off"} led @param {number} seconds ago */
function state(number, led, seconds) {
  const at = NOW - seconds * SECOND;
  return { led, number, at: text(at), at_micros: at };
}

const ACTUATORS = [
  actuator("FAN", { link: "ble:FAN", link_state: "searching", firmware: null, trust: null }),
  actuator("TEMP_LED", {
    desired: { ...state(18, "on", 88), rule: "heat", cause: COMMANDS[0]?.cause ?? "" },
    sent: state(18, "on", 88),
    reported: state(18, "on", 88),
  }),
];

/** @type {[string, number, LogEvent][]} */
const SAID = [
  ["gateway", 95, { kind: "viewers", port: "live", count: 2 }],
  ["gateway", 90, { kind: "ignored", topic: "home/door" }],
  ["gateway", 89, { kind: "rejected", topic: TOPIC, code: "not_a_number", reason: "no number" }],
  ["rules", 88, { kind: "decided", rule: "heat", actuator: "TEMP_LED", led: "on", cause: "" }],
  ["actuator", 88, { kind: "sent", actuator: "TEMP_LED", number: 18, led: "on" }],
  [
    "actuator",
    88,
    { kind: "applied", actuator: "TEMP_LED", number: 18, led: "on", latency_micros: 4_700 },
  ],
  ["actuator", 60, { kind: "link", actuator: "FAN", state: "searching", reason: "" }],
  [
    "gateway",
    2,
    {
      kind: "stored",
      id: 4_208,
      device: "Environ/cellar",
      quantity: "Temperature",
      value: 9.5,
      unit: "°C",
    },
  ],
  [
    "gateway",
    0,
    {
      kind: "stored",
      id: 4_210,
      device: "Environ",
      quantity: "Temperature",
      value: weather(0),
      unit: "°C",
    },
  ],
];

/** @type {Frame} */
const SNAPSHOT = {
  type: "snapshot",
  now: text(NOW),
  now_micros: NOW,
  readings: LATEST,
  availability: [],
  actuators: ACTUATORS,
  log: SAID.map(([hop, seconds, event], id) => {
    const at = NOW - seconds * SECOND;
    return { id, at: text(at), at_micros: at, hop, text: event.kind, event };
  }),
  counts: { received: 4_214, stored: 4_210, duplicate: 2, rejected: 2, in_flight: 0, ignored: 0 },
  rules: RULES,
};

/** @param {string} name @param {string} topic @param {number | null} left seconds ago */
function client(name, topic, left) {
  const at = NOW - 9_000 * SECOND;
  const gone = left === null ? null : NOW - left * SECOND;
  return {
    name,
    address: "192.168.1.20:51000",
    connected_at: text(at),
    connected_at_micros: at,
    left_at: gone === null ? null : text(gone),
    left_at_micros: gone,
    lost: gone !== null,
    left_at_latest: false,
    topics: [topic],
  };
}

/**
 * What the API says: a stale answer is none of these types.
 * @typedef {object} Answers
 * @property {() => import("../../wire.d.ts").Status} status
 * @property {() => import("../../wire.d.ts").Frame} snapshot
 * @property {() => import("../../wire.d.ts").Path} path
 * @property {() => import("../../wire.d.ts").Clients} clients
 * @property {() => import("../../wire.d.ts").Controllers} controllers
 * @property {() => import("../../wire.d.ts").Simulated} simulator
 * @property {() => import("../../wire.d.ts").Storage} storage
 * @property {(asked: URLSearchParams) => import("../../wire.d.ts").ReadingPage} readings
 * @property {() => import("../../wire.d.ts").Chart} chart
 * @property {(asked: URLSearchParams) => import("../../wire.d.ts").Commands} commands
 * @property {() => import("../../wire.d.ts").Rejects} rejects
 * @property {() => import("../../wire.d.ts").Rules} rules
 * @property {() => import("../../wire.d.ts").Alerts} alerts
 * @property {() => import("../../wire.d.ts").Why} why
 */

/** @type {Answers} */
const ANSWERS = {
  status: () => ({
    version: "0.1.0",
    started_at: text(NOW - 9_000 * SECOND),
    started_at_micros: NOW - 9_000 * SECOND,
    now: text(NOW),
    now_micros: NOW,
    listens: {
      mqtt: "0.0.0.0:1883",
      live: "127.0.0.1:8765",
      history: "127.0.0.1:8768",
      tcp: "127.0.0.1:8766",
      udp: "",
      dashboard: "127.0.0.1:8080",
    },
    reach: ["192.168.1.10"],
    zone: { name: "UTC", offset_seconds: 0 },
    insecure: null,
    simulated: false,
  }),
  snapshot: () => SNAPSHOT,
  path: () => ({
    received_per_minute: 152,
    stored_per_minute: 150,
    decided_per_minute: 30,
    applied_per_minute: 1,
    taken_to_arrived_micros: 8_200,
    arrived_to_stored_micros: 2_900,
    arrived_to_decided_micros: 410,
    decided_to_applied_micros: 4_700,
    broker_lost: null,
    broker_sessions_lost: 0,
    failing_since: null,
    failing_since_micros: null,
    rules_refused: null,
    rules_blind: null,
    alerts_stuck: null,
  }),
  clients: () => ({
    admission: "everyone",
    clients: [client("esp32", TOPIC, null), client("garden", "Environ/garden/Temperature", 880)],
    clients_count: 2,
    refused: [],
    refused_count: 0,
    allowed: [],
  }),
  controllers: () => ({ controllers: [] }),
  simulator: () => ({ topic: null, celsius: null }),
  storage: () => ({ readings: 4_210, journal_len: 1_250_000, database: null }),
  readings: (asked) =>
    readings(asked.get("device"), asked.get("quantity"), Number(asked.get("limit"))),
  chart,
  commands: (asked) => ({
    commands: COMMANDS.filter(
      ({ decided_at_micros: at }) =>
        asked.get("actuator") === "TEMP_LED" &&
        at >= Number(asked.get("from") ?? 0) &&
        at < Number(asked.get("until")),
    ).slice(0, Number(asked.get("limit"))),
    next: null,
  }),
  rejects: () => ({ rejects: [], next: null }),
  rules: () => ({ rules: RULES, version: VERSION, until: null, until_micros: null }),
  alerts: () => ({ alerts: [], next: null }),
  why: () => ({
    command: command(18, "on", 88),
    reading: reading("Environ", "Temperature", 25.1, "°C", 4_166, 88),
  }),
};

/** @param {string} name @param {string} place @param {string[]} actuators @param {number | null} left seconds ago */
function controller(name, place, actuators, left) {
  const since = NOW - 5_400 * SECOND;
  const away = left === null ? null : NOW - left * SECOND;
  return {
    name,
    id: [...name].reduce((sum, each) => sum * 31 + (each.codePointAt(0) ?? 0), 7) % 100_000,
    address: place,
    actuators,
    since: text(since),
    since_micros: since,
    away_since: away === null ? null : text(away),
    away_since_micros: away,
  };
}

/** Other computers that drive actuators of the house. @type {Pick<Answers, "controllers">} */
export const CONTROLLERS = {
  controllers: () => ({
    controllers: [
      controller("pc2", "192.168.1.40", ["LAMP", "PUMP", "VALVE"], null),
      controller("attic", "192.168.1.41", ["HEATER"], 42),
    ],
  }),
};

/**
 * Makes a page show that house, before it is opened.
 * @param {Page} page
 * @param {Partial<Answers>} [others] what the API says otherwise
 */
export async function standStill(page, others = {}) {
  await page.clock.setFixedTime(NOW_MILLIS);
  // What is written on a canvas cannot be told from lines; its letters are those of each computer.
  await page.addInitScript(() => {
    CanvasRenderingContext2D.prototype.fillText = () => {};
    // What a worker of the page answers is not ours to choose.
    ServiceWorkerContainer.prototype.register = () => new Promise(() => {});
  });
  await page.routeWebSocket(/\/live\?batch=true$/, (socket) =>
    socket.send(JSON.stringify(SNAPSHOT)),
  );
  await page.route(/\/api\/v1\//, (route) => {
    const { pathname, searchParams } = new URL(route.request().url());
    /** @type {Partial<Record<string, (asked: URLSearchParams) => unknown>>} */
    const answers = { ...ANSWERS, "rules/state": () => STATES, ...others };
    const answer = answers[pathname.slice("/api/v1/".length)];
    // What the house has no word for the real and empty one answers.
    return answer === undefined ? route.fallback() : route.fulfill({ json: answer(searchParams) });
  });
}
