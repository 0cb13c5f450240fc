/** Places in a text, bands and lines: what is pure about the rules on the page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { lines } from "../parts/api.js";
import { onSpan, runs } from "../parts/bands.js";
import { translator } from "../parts/i18n.js";
import { firstLine, rangeOf, wordAt } from "../parts/places.js";

test("a place counts characters, a text field UTF-16 units", () => {
  const text = 'name = "🌡 热"\non = "🌡 celcius > 1"\n';
  const place = { line: 2, column: 9, length: 7 };
  assert.equal(wordAt(text, place), "celcius");
  const [start, end] = rangeOf(text, place);
  assert.equal(text.slice(start, end), "celcius");
  assert.equal(wordAt(text, { line: 1, column: 8, length: 5 }), '"🌡 热"');
});

test("a place that is not there is the end of what is", () => {
  assert.deepEqual(rangeOf("ab\nc", { line: 2, column: 2, length: 0 }), [4, 4]);
  assert.deepEqual(rangeOf("ab\nc", { line: 1, column: 9, length: 9 }), [2, 2]);
  assert.deepEqual(rangeOf("ab\nc", { line: 9, column: 1, length: 3 }), [4, 4]);
  assert.deepEqual(rangeOf("", { line: 1, column: 1, length: 1 }), [0, 0]);
});

test("a place is shown in the middle of the field, and never before the first line", () => {
  assert.equal(firstLine({ line: 3, column: 1, length: 1 }, 14), 0);
  assert.equal(firstLine({ line: 40, column: 1, length: 1 }, 14), 32);
});

test("parts of a band that look the same are one, and what nobody decided is left out", () => {
  assert.deepEqual(runs([null, 0, 0, 1, 1, null, 1]), [
    { from: 1, length: 2, state: "off", share: 0 },
    { from: 3, length: 2, state: "on", share: 1 },
    { from: 6, length: 1, state: "on", share: 1 },
  ]);
  const [little, much] = runs([0.001, 0.01, 0.999]);
  assert.deepEqual([little?.state, little?.length, much?.state], ["some", 2, "some"]);
  assert.ok(little !== undefined && much !== undefined && 0 < little.share);
  assert.ok(little.share < much.share && much.share < 1);
  assert.deepEqual(runs([]), []);
});

test("how long it was on is said in minutes, hours or many hours", () => {
  const en = translator("en");
  assert.equal(onSpan(0, en, "en"), "0 s");
  assert.equal(onSpan(11 * 3_600 + 360, en, "en"), "11 h 6 min");
  assert.equal(onSpan(400.25 * 3_600, en, "en"), "400.3 h");
  assert.equal(onSpan(400.25 * 3_600, translator("zh"), "zh"), "400.3 小时");
});

test("lines come whole however they were cut, the last without its end too", async () => {
  const bytes = new TextEncoder().encode('{"a":"热"}\n\n{"b":1}\n{"c":2}');
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const found = [];
  for await (const line of lines(new Response(body))) found.push(line);
  assert.deepEqual(found, ['{"a":"热"}', "", '{"b":1}', '{"c":2}']);
});
