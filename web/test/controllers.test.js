/** What is said of controllers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder, judge, tally } from "../parts/controllers.js";
import { clock } from "../parts/format.js";
import { translator } from "../parts/i18n.js";
import { NOW_MICROS, NOW_MILLIS } from "./fixtures.js";

const [en, zh] = [translator("en"), translator("zh")];

/**
 * @param {Partial<import("../wire.d.ts").Controller>} fields
 * @returns {import("../wire.d.ts").Controller}
 */
const controller = (fields) => ({
  name: "pc2",
  id: 1,
  address: "192.168.1.40",
  actuators: ["TEMP_LED"],
  since: "",
  since_micros: NOW_MICROS,
  away_since: null,
  away_since_micros: null,
  ...fields,
});
const away = controller({ away_since: "", away_since_micros: NOW_MICROS });

test("one that is connected says since when", () => {
  const more = `since ${clock(NOW_MICROS)}`;
  const said = judge(controller({}), en, NOW_MILLIS, "en");
  assert.deepEqual(said, { state: "up", word: "connected", more });
  const long = judge(controller({ since_micros: NOW_MICROS - 172_800e6 }), en, NOW_MILLIS, "en");
  assert.match(long.more, /^since Nov 2\d, 2026/, "with its date where that was another day");
});

test("one that is away says since when, and that what it drives stays its own", () => {
  const since = { since_micros: NOW_MICROS - 60e6 };
  const said = judge({ ...away, ...since }, en, NOW_MILLIS, "en");
  const more = `since ${clock(NOW_MICROS)} · keeps its actuators for a minute`;
  assert.deepEqual(said, { state: "away", word: "away", more });
  assert.match(judge(away, zh, NOW_MILLIS, "zh").more, /执行器为它保留一分钟$/);
});

test("they are counted, and what there is none of is not said", () => {
  assert.equal(tally([], en, "en"), "");
  assert.equal(tally([controller({})], en, "en"), "1 connected");
  assert.equal(tally([away], en, "en"), "1 away");
  const both = [controller({}), away, controller({})];
  assert.equal(tally(both, en, "en"), "2 connected, 1 away");
  assert.equal(tally(both, zh, "zh"), "2 个已连接，1 个未连接");
});

test("they stand by name, and those of one name always in the same order", () => {
  const names = [
    { name: "pc2", id: 12 },
    { name: "attic", id: 30 },
    { name: "pc2", id: 2 },
  ].map((one) => controller(one));
  const ordered = inOrder(names).map(({ name, id }) => `${name} ${id}`);
  assert.deepEqual(ordered, ["attic 30", "pc2 2", "pc2 12"]);
  assert.equal(names[0]?.id, 12, "and what was given stays as it is");
});
