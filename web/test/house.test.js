/** What is said of Home Assistant. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder, judge, standing, tally, troubles } from "../parts/house.js";
import { translator } from "../parts/i18n.js";

const [en, zh] = [translator("en"), translator("zh")];

/**
 * @param {Partial<import("../wire.d.ts").DiscoveredThing>} fields
 * @returns {import("../wire.d.ts").DiscoveredThing}
 */
const thing = (fields) => ({
  device: "Bath",
  key: "t",
  platform: "sensor",
  config: "homeassistant/device/bath/config",
  origin: null,
  standing: "not_understood",
  topic: null,
  quantity: null,
  unit: null,
  link: null,
  code: "template",
  reason: "the template is not understood",
  ...fields,
});

test("no connection counts more than what Home Assistant has said", () => {
  assert.deepEqual(judge({ connection: "down", home: "online" }).state, "broken");
  assert.deepEqual(judge({ connection: "up", home: "offline" }).state, "away");
  assert.deepEqual(judge({ connection: "own", home: null }), { state: "up", key: "house.quiet" });
  assert.deepEqual(judge({ connection: "up", home: "online" }).key, "house.online");
});

test("each trouble is a sentence, and nothing from outside gets into the others", () => {
  const none = { reason: null, not_taken: null, not_heard: [], left: null };
  assert.deepEqual(troubles(none, en), []);
  const all = {
    reason: "refused",
    not_taken: "\u202equota",
    not_heard: ["mtom/+/set"],
    left: null,
  };
  assert.deepEqual(troubles(all, en).length, 3);
  assert.ok(!troubles(all, en).join("").includes("\u202e"));
  const aside = Array.from({ length: 12 }, (_, at) => `deep/${at}`);
  const left = { broker: "mqtt://old:1883", topics: 7, command: "pub -h old" };
  const said = troubles({ ...none, left }, en);
  const counts = {
    configs: 1,
    sensors: 1,
    switches: 0,
    not_read: 0,
    not_understood: 0,
    others: 0,
    refused: 0,
  };
  assert.doesNotMatch(tally(counts, [], en, "en"), /aside/);
  assert.match(tally(counts, aside, en, "en"), /12 \(deep\/0 .* deep\/9\)/);
  assert.match(said[0] ?? "", /old:1883.* 7 .*pub -h old/);
  assert.match(troubles(all, zh)[2] ?? "", /mtom\/\+\/set/);
});

test("what is not understood comes first, with its reason and its config", () => {
  const read = thing({ standing: "read", topic: "bath/t", quantity: "temperature", unit: "°C" });
  const lamp = thing({ standing: "switch", link: "mqtt:a?state=b" });
  assert.deepEqual(
    inOrder([read, lamp, thing({})]).map((one) => one.standing),
    ["not_understood", "switch", "read"],
  );
  assert.deepEqual(standing(read, en), { said: "read as temperature, °C", code: "bath/t" });
  assert.equal(standing(lamp, en).code, "mqtt:a?state=b");
  const missed = standing(thing({}), en);
  assert.equal(missed.said, "not understood: the template is not understood");
  assert.equal(missed.code, "homeassistant/device/bath/config");
  const second = thing({ standing: "not_read", code: "unique_id", reason: "another has it" });
  assert.deepEqual(
    inOrder([read, second, thing({})]).map((one) => one.standing),
    ["not_understood", "not_read", "read"],
  );
  assert.equal(standing(second, en).said, "not read: another has it");
});
