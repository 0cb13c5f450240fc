/** The past as it was, episodes of actuators, cells of a spreadsheet, and times in fields. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { cell, csv } from "../parts/csv.js";
import { cutTo, episodes, onSeconds } from "../parts/episodes.js";
import { rewritten, stored } from "../parts/filter.js";
import { framesOf, happenings, pastActuator } from "../parts/past.js";
import { apply, createModel } from "../parts/state.js";
import { fromField, toField } from "../parts/times.js";
import { actuator, reading } from "./fixtures.js";

/** @typedef {import("../wire.d.ts").Command} Command */

/**
 * @param {number} number
 * @param {"on" | "off"} led
 * @param {number} second of the decision; sent 1 s later, applied 2 s later
 * @param {Partial<Command>} [fields]
 * @returns {Command}
 */
function command(number, led, second, fields = {}) {
  const at = (/** @type {number} */ seconds) => seconds * 1e6;
  return {
    number,
    actuator: "TEMP_LED",
    led,
    rule: "hot",
    rule_version: null,
    condition: null,
    reading: 1,
    cause: "",
    decided_at: "",
    decided_at_micros: at(second),
    sent_at: "",
    sent_at_micros: at(second + 1),
    applied_at: "",
    applied_at_micros: at(second + 2),
    refused_at: null,
    refused_at_micros: null,
    refused_reason: null,
    ...fields,
  };
}

test("an episode begins and ends when the device says so, and is cut to the span", () => {
  const ledger = [command(3, "on", 70), command(2, "off", 50), command(1, "on", 10)];
  assert.deepEqual(episodes(ledger, 0, 100), [
    { from: 12, until: 52 },
    { from: 72, until: null },
  ]);
  assert.deepEqual(episodes(ledger, 20, 60), [{ from: 20, until: 52 }]);
  assert.equal(onSeconds(cutTo(episodes(ledger, 0, 100), 0, 100)), 68);
  assert.deepEqual(episodes(ledger, 0, 71), [{ from: 12, until: 52 }]);
});

test("an episode that goes on lasts as long as the span does", () => {
  const found = episodes([command(1, "on", 10)], 0, 20);
  assert.deepEqual(found, [{ from: 12, until: null }]);
  assert.deepEqual(cutTo(found, 10, 30), [{ from: 12, until: 30 }]);
  assert.deepEqual(cutTo(found, 50, 90), [{ from: 50, until: 90 }]);
  assert.deepEqual(cutTo([{ from: 1, until: 5 }], 6, 90), []);
});

test("a refused command did nothing, an unanswered one counts from when it was sent", () => {
  const refused = command(2, "off", 50, { applied_at_micros: null, refused_at_micros: 52e6 });
  const silent = command(3, "off", 60, { applied_at_micros: null });
  assert.deepEqual(episodes([silent, refused, command(1, "on", 10)], 0, 100), [
    { from: 12, until: 61 },
  ]);
  assert.deepEqual(episodes([], 0, 100), []);
});

test("what happened is told in the order of time, each once", () => {
  const found = happenings([reading({ at_micros: 11e6 })], [command(1, "on", 10)], 10e6, 12e6);
  assert.deepEqual(
    found.map((happening) => ("turn" in happening ? happening.turn : "reading")),
    ["reading", "sent", "applied"],
  );
});

test("played frames make the page as it was", () => {
  const model = createModel();
  model.actuators.set("TEMP_LED", pastActuator(actuator(), null, 0, "not kept"));
  const steps = happenings([reading({ at_micros: 9e6 })], [command(7, "on", 10)], 0, 20e6);
  const told = steps.map((happening, index) => {
    for (const frame of framesOf(happening, model, index)) apply(model, frame, 0);
    const { desired, sent, reported } = model.actuators.get("TEMP_LED") ?? {};
    return [desired, sent, reported].map((state) => state?.number ?? null);
  });
  assert.deepEqual(told, [
    [null, null, null],
    [7, null, null],
    [7, 7, null],
    [7, 7, 7],
  ]);
  assert.equal(model.series.size, 1);
  assert.deepEqual(
    model.log.map(({ event }) => event.kind),
    ["stored", "decided", "sent", "applied"],
  );
});

test("of an actuator nothing is said that was not yet so", () => {
  const stood = command(7, "on", 10);
  const at = (/** @type {number} */ second) =>
    pastActuator(actuator(), stood, second * 1e6, "not kept");
  assert.deepEqual([at(11).sent?.number, at(11).reported], [7, null]);
  assert.deepEqual([at(12).reported?.led, at(12).link_state], ["on", "up"]);
  assert.equal(at(11).link_state, "away");
  assert.equal(pastActuator(actuator(), null, 0, "not kept").desired, null);
});

test("no cell is a formula, and a number stays one", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1"]) {
    assert.match(cell(text), /^"?'/, text);
  }
  assert.equal(cell(-1.5), "-1.5");
  assert.equal(cell(Number.NaN), "");
  assert.equal(cell(null), "");
  assert.equal(cell('a "b", c'), '"a ""b"", c"');
  assert.equal(csv([["a"], [1, "=x"]]), "a\r\n1,'=x\r\n");
});

test("a time in a field is the browser's own, to the second", () => {
  const micros = new Date(2026, 10, 30, 2, 3, 4).getTime() * 1_000;
  assert.equal(toField(micros), "2026-11-30T02:03:04");
  assert.equal(fromField("2026-11-30T02:03:04"), micros);
  assert.equal(fromField(""), null);
  assert.equal(toField(Number.NaN), "");
});

test("a value is asked for in the unit that it is stored in", () => {
  assert.equal(stored(77, "°C", "°F"), 25);
  assert.equal(stored(25, "°F", "°C"), 77);
  assert.equal(stored(40, "%", "%"), 40);
});

test("a value that is written in the other unit and back is the same", () => {
  for (let tenths = -4_000; tenths < 20_000; tenths += 1) {
    const text = String(tenths / 10);
    const celsius = rewritten(tenths / 10, "°C", "°F");
    assert.equal(rewritten(Number(celsius), "°F", "°C"), text);
    const fahrenheit = rewritten(tenths / 10, "°F", "°C");
    assert.equal(rewritten(Number(fahrenheit), "°C", "°F"), text);
  }
});
