/** Temperatures in the unit that a person has chosen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inUnit, shown } from "../parts/unit.js";
import { reading } from "./fixtures.js";

test("a temperature is shown in the chosen unit", () => {
  assert.equal(inUnit(reading(), "C", "en"), "23.4 °C");
  assert.equal(inUnit(reading(), "F", "en"), "74.1 °F");
});

test("what was measured in that unit keeps the digits of the device", () => {
  const fine = { value: 74.12, unit: "°F", celsius: 23.4, fahrenheit: 74.12 };
  assert.deepEqual(shown(fine, "F", "en"), { text: "74.12", unit: "°F" });
  assert.deepEqual(shown(fine, "C", "en"), { text: "23.4", unit: "°C" });
});

test("what is no temperature stays as it is", () => {
  const humidity = { value: 40, unit: "%", celsius: null, fahrenheit: null };
  assert.equal(inUnit(humidity, "F", "en"), "40%");
  assert.deepEqual(shown(humidity, "F", "en"), { text: "40", unit: "%" });
});
