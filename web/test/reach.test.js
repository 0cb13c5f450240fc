/** What a person is told to type, and by which address. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { flashLine, nearest, openLine, parts, reachOf } from "../parts/reach.js";

/**
 * @param {string} mqtt
 * @param {string[]} reach
 */
const status = (mqtt, reach) => ({
  listens: { mqtt, live: "", history: "", tcp: "", udp: "", dashboard: "" },
  reach,
});

test("an ESP32 is told an address that it can reach, or that there is none", () => {
  const open = status("0.0.0.0:1883", ["192.168.1.10:1883", "10.0.0.2:1883"]);
  assert.deepEqual(reachOf(open), {
    kind: "other",
    addresses: ["192.168.1.10:1883", "10.0.0.2:1883"],
  });
  assert.deepEqual(reachOf(status("127.0.0.1:1883", [])), { kind: "alone" });
  assert.deepEqual(reachOf(status("0.0.0.0:1883", [])), { kind: "nowhere" });
  assert.deepEqual(reachOf(status("[::]:1883", [])), { kind: "nowhere" });
});

test("a line is never told to go to 0.0.0.0", () => {
  assert.equal(nearest(status("0.0.0.0:1883", [])).host, "127.0.0.1");
  assert.equal(nearest(status("[::]:1883", [])).host, "127.0.0.1");
  assert.equal(nearest(status("127.0.0.1:1999", [])).port, "1999");
  assert.equal(nearest(status("0.0.0.0:1883", ["192.168.1.10:1883"])).host, "192.168.1.10");
});

test("an address falls into its parts", () => {
  assert.deepEqual(parts("[fd00::5]:1883"), { host: "fd00::5", port: "1883" });
  assert.deepEqual(parts("far.example:1884"), { host: "far.example", port: "1884" });
});

test("the usual port needs no word", () => {
  assert.match(flashLine("192.168.1.10:1883"), /--broker 192\.168\.1\.10$/);
  assert.match(flashLine("192.168.1.10:1884"), /--broker 192\.168\.1\.10:1884$/);
  assert.match(flashLine("[fd00::5]:1883"), /--broker \[fd00::5\]$/);
  assert.match(openLine("127.0.0.1:1883"), /broker\.listen=0\.0\.0\.0:1883 /);
});
