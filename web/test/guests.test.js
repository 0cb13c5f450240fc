/** When the senders of a topic count as away. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { awaySince, refusedKey } from "../parts/guests.js";

/**
 * @param {Partial<import("../wire.d.ts").Client>} fields
 * @returns {import("../wire.d.ts").Client}
 */
const client = (fields) => ({
  name: "esp32",
  address: "192.168.1.20:5000",
  connected_at: "",
  connected_at_micros: 0,
  left_at: null,
  left_at_micros: null,
  lost: false,
  left_at_latest: false,
  topics: ["a/b"],
  ...fields,
});

test("who is connected is there, however long it has been silent", () => {
  assert.equal(awaySince([client({})], "a/b", true), null);
});

test("who has lost its connection is away at once", () => {
  assert.equal(awaySince([client({ left_at_micros: 5, lost: true })], "a/b", false)?.micros, 5);
});

test("who says goodbye after each reading is away when readings are missed", () => {
  const polite = [client({ left_at_micros: 5 })];
  assert.equal(awaySince(polite, "a/b", false), null);
  assert.equal(awaySince(polite, "a/b", true)?.micros, 5);
});

test("of several the one that is there counts, else who left last; others do not", () => {
  const [gone, later] = [client({ left_at_micros: 5 }), client({ left_at_micros: 9 })];
  assert.equal(awaySince([gone, later], "a/b", true)?.micros, 9);
  assert.equal(awaySince([gone, client({})], "a/b", true), null);
  assert.equal(awaySince([gone], "a/c", true), null);
  assert.equal(awaySince([], "a/b", true), null);
});

test("who had left before anybody could see it is away since then or longer", () => {
  const late = client({ left_at_micros: 5, lost: true, left_at_latest: true });
  assert.deepEqual(awaySince([late], "a/b", false), { micros: 5, isAtLatest: true });
  const seen = client({ left_at_micros: 9, lost: true });
  assert.deepEqual(awaySince([late, seen], "a/b", false), { micros: 9, isAtLatest: false });
});

test("who knocks again has the same line, and who comes from elsewhere another one", () => {
  const refused = (/** @type {string} */ address, reason = "not_allowed") =>
    refusedKey({ name: "hall", address, at: "", at_micros: 0, count: 1, reason });
  assert.equal(refused("192.168.1.20:5000"), refused("192.168.1.20:5001"));
  assert.equal(refused("[fe80::1]:5000"), refused("[fe80::1]:5001"));
  assert.notEqual(refused("192.168.1.20:5000"), refused("192.168.1.21:5000"));
  assert.notEqual(refused("192.168.1.20:5000"), refused("192.168.1.20:5000", "protocol"));
});
