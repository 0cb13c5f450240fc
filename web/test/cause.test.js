/** Causes are told in the page's language, whatever devices and rules are called. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { cause } from "../parts/cause.js";
import { translator } from "../parts/i18n.js";

const en = translator("en");
const zh = translator("zh");
const SAMPLES = readFileSync(new URL("causes.txt", import.meta.url), "utf8")
  .trim()
  .split("\n");

test("every sentence of the rules is known in Chinese", () => {
  assert.ok(SAMPLES.length > 10);
  for (const sample of [...SAMPLES, "its rule is gone"]) {
    const told = cause(sample, zh, "zh");
    const foreign = told.replace(/Environ\/Temperature|°C|night/g, "");
    assert.doesNotMatch(foreign, /[a-z]/iu, `${sample}: ${told}`);
  }
});

test("in English a sentence is as the gateway wrote it, with local times", () => {
  for (const sample of SAMPLES.filter((text) => !text.includes("2027"))) {
    assert.equal(cause(sample, en, "en"), sample);
  }
  const told = cause("by hand, until 2027-01-15T08:00:00.000000Z", en, "en");
  assert.match(told, /^by hand, until Jan 1[456], 2027/u);
});

test("a sentence in another one, and the condition behind it", () => {
  const again = "the device knew a higher number; no reading for 10 s";
  assert.equal(cause(again, zh, "zh"), "设备的命令编号更大；10 秒没有读数");
  const there = "by hand, in Home Assistant";
  assert.equal(cause(there, zh, "zh"), "在 Home Assistant 中手动");
  assert.equal(cause(there, en, "en"), there);
  const held = "reading 7: a/b 1 °C, held for 2 s; value > 0.5, where value is 1";
  assert.equal(cause(held, zh, "zh"), "读数 7：a/b 1 °C，持续 2 秒; value > 0.5, where value is 1");
});

test("what is not known is shown as it is, without what could hide", () => {
  assert.equal(cause("a newer \u202ereason", zh, "zh"), "a newer \\u{202e}reason");
  const device = "reading 7: x has no say any more/b 1";
  assert.equal(cause(device, zh, "zh"), "读数 7：x has no say any more/b 1");
});
