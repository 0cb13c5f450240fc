/**
 * The readable page of the API: what `/api/v1/openapi.json` says, for people.
 *
 * The words about operations and types are those of the document, which are English.
 */

import { byId, el, setShown, setText } from "./dom.js";
import { rememberLanguage, translator } from "./i18n.js";
import { languageButtons, relabel } from "./labels.js";
import { createPage } from "./page.js";
import { operations, properties, typeOf } from "./schema.js";

/** @typedef {import("./schema.js").Document} Document */
/** @typedef {import("./schema.js").Operation} Operation */
/** @typedef {import("./schema.js").Schema} Schema */

const ADDRESS = "/api/v1/openapi.json";

const page = createPage();
/** @type {Document | null} */
let known = null;

/**
 * A type's name; one of our own leads to its table.
 * @param {Schema | undefined} schema
 */
function type(schema) {
  const { text, names } = typeOf(schema);
  const code = el("code", "");
  let rest = text;
  for (const name of names) {
    const at = rest.indexOf(name);
    const link = el("a", "", name);
    link.href = `#${name}`;
    code.append(rest.slice(0, at), link);
    rest = rest.slice(at + name.length);
  }
  code.append(rest);
  return code;
}

/**
 * @param {string[]} titles
 * @param {(Node | string)[][]} rows
 */
function table(titles, rows) {
  const head = titles.map((title) => {
    const cell = el("th", "", title);
    cell.scope = "col";
    return cell;
  });
  const body = rows.map((cells) => el("tr", "", ...cells.map((cell) => el("td", "", cell))));
  const region = el(
    "div",
    "scroll",
    el("table", "", el("thead", "", el("tr", "", ...head)), el("tbody", "", ...body)),
  );
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  return region;
}

/** @param {import("./schema.js").Parameter} parameter */
function aboutParameter({ description, range, usual, example }) {
  const { t } = page;
  const words = el("span", "", description);
  words.lang = "en";
  const more = [
    range === "" ? "" : t("api.range", { range }),
    usual === "" ? "" : t("api.usual", { usual }),
    example === "" ? "" : t("api.example", { example }),
  ].filter((text) => text !== "");
  return el("span", "", words, ` ${more.join(" ")}`);
}

/** @param {Operation} operation */
function article(operation) {
  const { t } = page;
  const { method, path, summary, description, parameters, request, answer, problems } = operation;
  const title = el("h3", "operation", el("code", "method", method), " ", el("code", "", path));
  title.id = operation.id;
  const about = [summary, ...description].map((text) => el("p", "", text));
  for (const text of about) text.lang = "en";
  /** @type {HTMLElement[]} */
  const parts = [title, ...about];
  if (parameters.length > 0) {
    const rows = parameters.map((one) => [
      el("code", "", one.name),
      t(one.where === "path" ? "api.in.path" : "api.in.query"),
      type(one.schema),
      t(one.isRequired ? "api.required" : "api.optional"),
      aboutParameter(one),
    ]);
    const region = table(
      [t("api.name"), t("api.in"), t("api.type"), t("api.needed"), t("api.about")],
      rows,
    );
    region.setAttribute("aria-label", t("api.parameters", { operation: `${method} ${path}` }));
    parts.push(region);
  }
  if (request !== null) {
    parts.push(
      el("p", "", t("api.sends"), " ", el("code", "", request.kind), " ", type(request.schema)),
    );
  }
  const found = answer.kind === "" ? [] : [el("code", "", answer.kind), " ", type(answer.schema)];
  parts.push(el("p", "", t("api.answers"), " ", el("code", "", answer.status), " ", ...found));
  if (problems.length > 0) {
    const terms = problems.flatMap(({ status, description: words }) => {
      const why = el("dd", "", words);
      why.lang = "en";
      return [el("dt", "", el("code", "", status)), why];
    });
    parts.push(el("p", "", t("api.instead")), el("dl", "statuses", ...terms));
  }
  if (operation.isSimple) {
    const link = el("a", "", t("api.try"));
    link.href = path;
    parts.push(el("p", "", link));
  }
  const whole = el("article", "", ...parts);
  whole.setAttribute("aria-labelledby", operation.id);
  return whole;
}

/**
 * @param {string} name
 * @param {Schema} schema
 */
function typeArticle(name, schema) {
  const { t } = page;
  const title = el("h3", "", el("code", "", name));
  title.id = name;
  const about = el("p", "", schema.description ?? "");
  about.lang = "en";
  const rows = properties(schema).map(({ name: property, schema: of, description }) => [
    el("code", "", property),
    type(of),
    description,
  ]);
  const parts = [title, about];
  if (rows.length > 0) {
    const region = table([t("api.name"), t("api.type"), t("api.about")], rows);
    region.setAttribute("aria-label", t("api.members", { type: name }));
    parts.push(region);
  } else {
    parts.push(el("p", "", type(schema)));
  }
  return el("article", "", ...parts);
}

function render() {
  relabel(page.t, page.language);
  if (known === null) return;
  setText(byId("api-about"), known.info.description);
  const sections = known.tags.map(({ name, description }) => {
    const title = el("h2", "", description);
    title.lang = "en";
    title.id = `tag-${name}`;
    const of = operations(known ?? { info: { description: "" }, tags: [], paths: {} }, name);
    const section = el("section", "panel", title, ...of.map(article));
    section.setAttribute("aria-labelledby", title.id);
    return section;
  });
  byId("api-operations").replaceChildren(...sections);
  const types = Object.entries(known.components?.schemas ?? {});
  byId("api-types").replaceChildren(...types.map(([name, schema]) => typeArticle(name, schema)));
}

async function load() {
  try {
    const answer = await fetch(ADDRESS);
    if (!answer.ok) throw new Error(`${ADDRESS}: ${answer.status}`);
    known = await answer.json();
  } catch {
    setShown(byId("api-failed"), true);
    return;
  }
  render();
  // The table that was asked for was not there when the browser looked.
  const asked = location.hash.slice(1);
  if (asked !== "") document.getElementById(asked)?.scrollIntoView();
}

for (const button of languageButtons()) {
  button.addEventListener("click", () => {
    page.language = button.dataset.language === "zh" ? "zh" : "en";
    page.t = translator(page.language);
    rememberLanguage(page.language);
    render();
  });
}

render();
void load();
