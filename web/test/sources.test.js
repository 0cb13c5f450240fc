/** What a reader of the sources would have to look for again and again. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
/** @param {string} name */
const read = (name) => readFileSync(new URL(name, root), "utf8");
const modules = ["app.js", ...readdirSync(new URL("parts", root)).map((name) => `parts/${name}`)];

test("no module makes HTML or code out of a text", () => {
  const forbidden =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|\beval\(|new Function/;
  for (const name of modules) assert.doesNotMatch(read(name), forbidden, name);
});

test("the page asks nobody but its own gateway", () => {
  const addresses = /https?:\/\/(?!www\.w3\.org\/2000\/svg)/;
  for (const name of [...modules, "index.html", "api.html", "style.css", "icon.svg"]) {
    assert.doesNotMatch(read(name), addresses, name);
  }
});

test("the HTML has no script and no style of its own", () => {
  for (const name of ["index.html", "api.html"]) {
    const html = read(name);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|javascript:/, name);
    for (const [, attributes] of html.matchAll(/<script([^>]*)>/g)) {
      assert.match(attributes ?? "", /src="\/a\/@tree@\//, name);
    }
  }
});

test("the lock file names packages by their hash and no host", () => {
  const lock = JSON.parse(read("package-lock.json"));
  for (const [name, entry] of Object.entries(lock.packages)) {
    if (name === "") continue;
    assert.match(entry.integrity, /^sha512-/, name);
    assert.equal(entry.resolved, undefined, name);
  }
});

test("the lock file holds the packages of every platform, without which `npm ci` refuses it", () => {
  const { packages } = JSON.parse(read("package-lock.json"));
  for (const [name, entry] of Object.entries(packages)) {
    for (const optional of Object.keys(entry.optionalDependencies ?? {})) {
      assert.ok(
        packages[`node_modules/${optional}`] !== undefined,
        `${optional}, wanted by ${name}`,
      );
    }
  }
});

test("every file that is vendored comes from a package of the lock file", () => {
  const { packages } = JSON.parse(read("package-lock.json"));
  for (const { from, to } of JSON.parse(read("vendor.json"))) {
    const name = from.split("/").slice(0, 2).join("/");
    assert.ok(packages[name] !== undefined && packages[name].dev !== true, from);
    assert.match(to, /^vendor\//);
  }
});
