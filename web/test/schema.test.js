/** The readable page of the API, made from the document that the gateway serves. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { operations, properties, typeOf } from "../parts/schema.js";

/** @type {import("../parts/schema.js").Document} */
const served = JSON.parse(readFileSync(new URL("../openapi.json", import.meta.url), "utf8"));

test("a type is said in a few words", () => {
  /** @type {[import("../parts/schema.js").Schema | undefined, string, string[]][]} */
  const cases = [
    [undefined, "any", []],
    [{ type: "string" }, "string", []],
    [{ type: ["integer", "null"], format: "int64" }, "integer | null", []],
    [{ $ref: "#/components/schemas/Reading" }, "Reading", ["Reading"]],
    [{ type: "array", items: { $ref: "#/components/schemas/Rule" } }, "Rule[]", ["Rule"]],
    [
      { oneOf: [{ $ref: "#/components/schemas/State" }, { type: "null" }] },
      "State | null",
      ["State"],
    ],
    [
      { anyOf: [{ type: "string", format: "date-time" }, { type: "integer" }] },
      "date-time | integer",
      [],
    ],
    [{ type: "string", enum: ["on", "off"] }, '"on" | "off"', []],
  ];
  for (const [schema, text, names] of cases) assert.deepEqual(typeOf(schema), { text, names });
});

test("every operation stands under one heading, with what it answers", () => {
  const all = served.tags.flatMap(({ name }) => operations(served, name));
  const paths = Object.values(served.paths).flatMap((methods) => Object.keys(methods));
  assert.equal(all.length, paths.length);
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  for (const { id, summary, answer } of all) {
    assert.notEqual(summary, "", id);
    assert.ok(answer.status.startsWith("2"), id);
  }
  const set = all.find(({ path }) => path === "/api/v1/actuators/{name}/set");
  assert.equal(set?.method, "PUT");
  assert.equal(set?.request?.kind, "application/json");
  assert.deepEqual(
    set?.parameters.map(({ name, where }) => [name, where]),
    [["name", "path"]],
  );
  assert.equal(set?.isSimple, false);
  assert.ok(all.find(({ path }) => path === "/api/v1/status")?.isSimple);
  assert.deepEqual(
    set?.problems.map(({ status }) => status),
    ["400", "403", "404", "413", "415", "503"],
  );
  const pages = all.find(({ path }) => path === "/api/v1/rejects")?.parameters ?? [];
  const limit = pages.find(({ name }) => name === "limit");
  assert.deepEqual([limit?.range, limit?.usual, limit?.example], ["1–1000", "100", "20"]);
  for (const { id, parameters, problems } of all) {
    for (const { description } of [...parameters, ...problems])
      assert.notEqual(description, "", id);
  }
});

test("a type's members have their own words, and each type that is named is there", () => {
  const schemas = served.components?.schemas ?? {};
  const reading = schemas.Reading;
  assert.ok(reading !== undefined);
  const id = properties(reading).find(({ name }) => name === "id");
  assert.match(id?.description ?? "", /journal number/);
  for (const [name, schema] of Object.entries(schemas)) {
    for (const { schema: of } of properties(schema)) {
      for (const used of typeOf(of).names)
        assert.ok(schemas[used] !== undefined, `${name}: ${used}`);
    }
  }
});
