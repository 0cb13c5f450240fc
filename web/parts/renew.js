/**
 * The page's own files: lets the browser keep them for when the gateway is away, and loads the page again when the
 * gateway serves others.
 *
 * Browsers keep files only where nobody in between can change them: on this computer, or over https. Elsewhere the
 * page works without.
 */

/** The tree that this page is of: every file of it has the same hash in its address. */
const TREE = new URL(import.meta.url).pathname.split("/")[2] ?? "";

const WORKER = "/worker.js";
const STORED = "mtom.renewed";
const TORN = "mtom.torn";

/** @typedef {{createPolicy: (name: string, rules: object) => {createScriptURL: (url: string) => string}}} Factory */

let isAsked = false;

/** Has the browser keep the files. Where it does not want to, the page needs the gateway, as ever. */
export async function keepFiles() {
  const { serviceWorker } = navigator;
  // Not there over plain http from another computer, whatever the types say.
  if (isAsked || /** @type {unknown} */ (serviceWorker) === undefined) return;
  isAsked = true;
  const factory = /** @type {{trustedTypes?: Factory}} */ (/** @type {unknown} */ (window))
    .trustedTypes;
  try {
    // The only address that ever becomes a script, whatever is asked for; the page's policy allows no other.
    const policy = factory?.createPolicy("worker", { createScriptURL: () => WORKER });
    const known = await serviceWorker.register(policy?.createScriptURL("") ?? WORKER);
    // Browsers look for another one when they find the time; until then the kept page is that of another build.
    if (known.active !== null) await known.update();
  } catch {
    // Private windows, a certificate that nobody trusts, or the gateway has just gone.
  }
}

/** The gateway serves other files than these. */
let isOld = false;

/** Looks whether the gateway serves other files than these. */
export async function look() {
  const served = await servedTree();
  if (served === "" || served === TREE) return;
  // Once for each tree: what stands in between may keep the old page whatever we do.
  if (isFirst(STORED, served)) isOld = true;
}

/** A part of the page could not be fetched: it is loaded again, once until it was whole. */
export function mend() {
  if (isFirst(TORN, TREE)) isOld = true;
}

/**
 * Whether that is not written there yet, and writes it; never where nothing can be written.
 * @param {string} key
 * @param {string} value
 */
function isFirst(key, value) {
  try {
    if (sessionStorage.getItem(key) === value) return false;
    sessionStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

/** All parts of the page are here. */
export function keptWhole() {
  try {
    sessionStorage.removeItem(TORN);
  } catch {
    // Then nothing was written there either.
  }
}

/**
 * Loads the page again where the gateway serves other files, once nobody is in the middle of something.
 * @param {boolean} isBusy
 */
export function renew(isBusy) {
  if (!isOld || isBusy || document.querySelector("dialog[open]") !== null) return;
  isOld = false;
  location.reload();
}

/** The tree of the page that the gateway serves; empty where it does not say. */
async function servedTree() {
  try {
    const { headers } = await fetch("/", { method: "HEAD", cache: "no-store" });
    return /^W\/"(\w+)"$/.exec(headers.get("etag") ?? "")?.[1] ?? "";
  } catch {
    return "";
  }
}
