/** What an OpenAPI document says, in the few words that a reader needs. Pure. */

/**
 * @typedef {object} Schema
 * @property {string} [$ref]
 * @property {string | string[]} [type]
 * @property {string} [format]
 * @property {string} [description]
 * @property {(string | number)[]} [enum]
 * @property {Schema} [items]
 * @property {Record<string, Schema>} [properties]
 * @property {Schema[]} [oneOf]
 * @property {Schema[]} [allOf]
 * @property {Schema[]} [anyOf]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {string | number | boolean} [default]
 */

/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string} where `path` or `query`
 * @property {boolean} isRequired
 * @property {Schema | undefined} schema
 * @property {string} description
 * @property {string} range as in `1–1000`; empty where there is none
 * @property {string} usual what counts where it is left out; empty where nothing does
 * @property {string} example
 */

/**
 * @typedef {object} Operation
 * @property {string} id
 * @property {string} method
 * @property {string} path
 * @property {string} summary
 * @property {string[]} description
 * @property {Parameter[]} parameters
 * @property {{ kind: string, schema: Schema | undefined } | null} request
 * @property {{ status: string, kind: string, schema: Schema | undefined }} answer
 * @property {{ status: string, description: string }[]} problems what may be answered instead
 * @property {boolean} isSimple a browser can ask for it as it stands
 */

/** @typedef {Record<string, { schema?: Schema }>} Content */

/**
 * @typedef {object} RawOperation
 * @property {string} operationId
 * @property {string[]} tags
 * @property {string} [summary]
 * @property {string} [description]
 * @property {{ name: string, in: string, required?: boolean, schema?: Schema, description?: string, example?: unknown }[]} [parameters]
 * @property {{ content: Content }} [requestBody]
 * @property {Record<string, { description?: string, content?: Content }>} responses
 */

/**
 * @typedef {object} Document
 * @property {{ description: string }} info
 * @property {{ name: string, description: string }[]} tags
 * @property {Record<string, Record<string, RawOperation>>} paths
 * @property {{ schemas?: Record<string, Schema> }} [components]
 */

const OURS = "#/components/schemas/";

/**
 * A type in a few words, and the names of our own types in it, in their order.
 * @param {Schema | undefined} schema
 * @returns {{ text: string, names: string[] }}
 */
export function typeOf(schema) {
  /** @type {string[]} */
  const names = [];
  const text = words(schema, names);
  return { text, names };
}

/**
 * @param {Schema | undefined} schema
 * @param {string[]} names
 * @returns {string}
 */
function words(schema, names) {
  if (schema === undefined) return "any";
  if (schema.$ref !== undefined) {
    const name = schema.$ref.startsWith(OURS) ? schema.$ref.slice(OURS.length) : schema.$ref;
    names.push(name);
    return name;
  }
  const several = schema.oneOf ?? schema.allOf ?? schema.anyOf;
  if (several !== undefined) return several.map((one) => words(one, names)).join(" | ");
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.format === "date-time") return schema.format;
  const types = schema.type === undefined ? ["any"] : [schema.type].flat();
  return types
    .map((type) => (type === "array" ? `${words(schema.items, names)}[]` : type))
    .join(" | ");
}

/**
 * The members of a type, those of its variants too.
 * @param {Schema} schema
 * @returns {{ name: string, schema: Schema, description: string }[]}
 */
export function properties(schema) {
  const own = Object.entries(schema.properties ?? {});
  const found = own.map(([name, of]) => ({ name, schema: of, description: described(of) }));
  const parts = [...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap(properties);
  const known = new Set();
  return [...found, ...parts].filter(({ name, schema: of }) => {
    const key = `${name} ${typeOf(of).text}`;
    return !known.has(key) && known.add(key);
  });
}

/**
 * @param {Schema} schema
 * @returns {string}
 */
function described(schema) {
  return schema.description ?? schema.oneOf?.find((one) => one.description)?.description ?? "";
}

/**
 * The operations of a tag, in the order of the document.
 * @param {Document} document
 * @param {string} tag
 * @returns {Operation[]}
 */
export function operations(document, tag) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, raw]) => raw.tags.includes(tag))
      .map(([method, raw]) => operation(path, method, raw)),
  );
}

/**
 * @param {string} path
 * @param {string} method
 * @param {RawOperation} raw
 * @returns {Operation}
 */
function operation(path, method, raw) {
  const parameters = (raw.parameters ?? []).map((one) => ({
    name: one.name,
    where: one.in,
    isRequired: one.required === true,
    schema: one.schema,
    description: one.description ?? "",
    range: range(one.schema),
    usual: String(one.schema?.default ?? ""),
    example: String(one.example ?? ""),
  }));
  const [[status = "", found = {}] = [], ...others] = Object.entries(raw.responses);
  return {
    id: `operation-${raw.operationId}`,
    method: method.toUpperCase(),
    path,
    summary: raw.summary ?? "",
    description: raw.description === undefined ? [] : [raw.description],
    parameters,
    request: raw.requestBody === undefined ? null : content(raw.requestBody.content),
    answer: { status, ...content(found.content) },
    problems: others.map(([code, { description = "" }]) => ({ status: code, description })),
    isSimple: method === "get" && !parameters.some((one) => one.isRequired),
  };
}

/**
 * @param {Schema | undefined} schema
 * @returns {string}
 */
function range(schema) {
  const { minimum, maximum } = schema ?? {};
  return minimum === undefined || maximum === undefined ? "" : `${minimum}–${maximum}`;
}

/**
 * @param {Content | undefined} found
 * @returns {{ kind: string, schema: Schema | undefined }}
 */
function content(found) {
  const [kind = "", of = {}] = Object.entries(found ?? {})[0] ?? [];
  return { kind, schema: of.schema };
}
