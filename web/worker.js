/**
 * Keeps the page's own files in the browser, so that the page opens while the gateway is away. Nothing else: what
 * the gateway says is never kept here, so nothing old can look as if it were live.
 *
 * The gateway comes first. Only when it does not answer are the kept files served, and all of them are of one tree:
 * that of this worker. Another build of the gateway is another worker, which takes this one's place at once.
 */

/** @typedef {Event & {waitUntil: (work: Promise<unknown>) => void}} Lifecycle */
/** @typedef {Event & {request: Request, respondWith: (answer: Promise<Response>) => void}} Asked */
/** @typedef {EventTarget & {skipWaiting: () => Promise<void>, clients: {claim: () => Promise<void>}}} Worker */

/** The gateway puts the hash of its files here … */
const TREE = "@tree@";
/** … and their names. */
const FILES = "@files@".split(" ");
const PREFIX = "mtom-";
const NAME = PREFIX + TREE;

const worker = /** @type {Worker} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", (event) => {
  /** @type {Lifecycle} */ (event).waitUntil(install());
});
worker.addEventListener("activate", (event) => {
  /** @type {Lifecycle} */ (event).waitUntil(activate());
});
worker.addEventListener("fetch", (event) => {
  const { request } = /** @type {Asked} */ (event);
  const file = fileOf(request);
  if (file !== null) /** @type {Asked} */ (event).respondWith(answer(request, file));
});

/** All of the files or none: a part of a page is no page. */
async function install() {
  const cache = await caches.open(NAME);
  await cache.addAll(FILES.map((file) => `/a/${TREE}/${file}`));
  await worker.skipWaiting();
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/**
 * Where the answer is kept; null: that is none of our business.
 * @param {Request} request
 */
function fileOf({ method, mode, url }) {
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return null;
  if (mode === "navigate" && pathname === "/") return `/a/${TREE}/index.html`;
  return pathname.startsWith("/a/") ? pathname : null;
}

/**
 * @param {Request} request
 * @param {string} file
 */
async function answer(request, file) {
  try {
    return await fetch(request);
  } catch (error) {
    const cache = await caches.open(NAME);
    const kept = await cache.match(file, { ignoreVary: true });
    if (kept === undefined) throw error;
    return kept;
  }
}
