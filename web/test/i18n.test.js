/** Both languages say the same things, and the page asks for nothing that is not there. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { en } from "../parts/en.js";
import { fill, isKey, pickLanguage, translator } from "../parts/i18n.js";
import { zh } from "../parts/zh.js";

/** @param {string} text */
const holes = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

test("the two languages have the same keys in the same order", () => {
  assert.deepEqual(Object.keys(zh), Object.keys(en));
});

test("a text has the same holes in both languages, and none is empty", () => {
  for (const key of /** @type {(keyof typeof en)[]} */ (Object.keys(en))) {
    assert.deepEqual(holes(zh[key]), holes(en[key]), key);
    assert.ok(en[key].trim() !== "" && zh[key].trim() !== "", key);
  }
});

test("the texts in the HTML are the English ones", () => {
  const read = (/** @type {string} */ name) =>
    readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
  const html = read("index.html") + read("api.html");
  const marked = [...html.matchAll(/data-t="([\w.]+)"[^>]*>([^<]*)</g)];
  assert.ok(marked.length > 20);
  for (const [, key = "", text = ""] of marked) {
    assert.ok(isKey(key), key);
    assert.equal(text.trim(), en[key], key);
  }
  for (const [, key = ""] of html.matchAll(/data-t-label="([\w.]+)"/g)) assert.ok(isKey(key), key);
});

test("the button and the notice of the original keep their words", () => {
  assert.equal(zh["history.more"], "获取更多历史数据");
  assert.equal(zh["history.end"], "没有更多数据了");
});

test("the browser's first language that we speak is taken", () => {
  /** @type {[string[], string][]} */
  const cases = [
    [["zh-CN", "en"], "zh"],
    [["zh-Hant-TW"], "zh"],
    [["de-DE", "en-GB", "zh"], "en"],
    [["fr", "zh"], "zh"],
    [["fr"], "en"],
    [[], "en"],
  ];
  for (const [wanted, expected] of cases) assert.equal(pickLanguage(wanted), expected);
});

test("what a value holds is not looked at again", () => {
  assert.equal(fill("{a} {b} {c}", { a: "{b}", b: "$&" }), "{b} $& {c}");
  assert.equal(translator("zh")("age.minutes", { count: 10 }), "10 分钟");
  assert.ok(!isKey("constructor") && !isKey("no such key"));
});
