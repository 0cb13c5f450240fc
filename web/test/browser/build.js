/** A gateway as another build of it would serve its page: the same files, in a tree of another name. */

import assert from "node:assert/strict";
import { request as ask, createServer } from "node:http";

/** @typedef {import("node:http").IncomingMessage} Incoming */
/** @typedef {import("node:http").ServerResponse} Outgoing */
/** @typedef {import("node:stream").Duplex} Duplex */
/** @typedef {{hostname: string, port: string, own: string, served: string}} Trees */

const OLD = "0".repeat(16);
export const NEW = "1".repeat(16);

/** @param {{url: string}} mtom */
export async function startBuild(mtom) {
  const index = await (await fetch(mtom.url)).text();
  const [, own = ""] = /\/a\/([0-9a-f]{16})\/app\.js/.exec(index) ?? [];
  const { hostname, port } = new URL(mtom.url);
  /** @type {Trees} */
  const trees = { hostname, port, own, served: OLD };
  /** @type {Set<Duplex>} */
  const sockets = new Set();
  const server = createServer((incoming, outgoing) => serve(trees, incoming, outgoing));
  server.on("upgrade", (incoming, socket) => upgrade(trees, incoming, socket));
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${address.port}/`,
    /** The next build takes its place: every connection breaks. */
    renew() {
      trees.served = NEW;
      cut();
    },
    async stop() {
      const closed = new Promise((done) => server.close(done));
      cut();
      await closed;
    },
  };
}

/**
 * @param {Trees} trees
 * @param {Incoming} incoming
 */
function forwarded({ hostname, port, own, served }, { method, url = "", headers }) {
  const path = url.replace(served, own);
  return ask({
    hostname,
    port,
    method,
    path,
    headers: { ...headers, "accept-encoding": "identity" },
    // A connection that is kept may just be ending.
    agent: false,
  });
}

/**
 * @param {Trees} trees
 * @param {Incoming} incoming
 * @param {Outgoing} outgoing
 */
function serve(trees, incoming, outgoing) {
  const { url = "" } = incoming;
  // The files of another build are gone with it.
  if (url.startsWith("/a/") && !url.startsWith(`/a/${trees.served}/`)) {
    return void outgoing.writeHead(404).end();
  }
  const asked = forwarded(trees, incoming);
  asked.on("error", () => outgoing.destroy());
  asked.on("response", (answer) => {
    const { etag, ...headers } = answer.headers;
    delete headers["content-length"];
    if (etag !== undefined) headers.etag = etag.replace(trees.own, trees.served);
    outgoing.writeHead(answer.statusCode ?? 500, headers);
    if (!/html|javascript/.test(headers["content-type"] ?? "")) return void answer.pipe(outgoing);
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (part) => {
      text += part;
    });
    answer.on("end", () => outgoing.end(text.replaceAll(trees.own, trees.served)));
  });
  incoming.pipe(asked);
}

/**
 * @param {Trees} trees
 * @param {Incoming} incoming
 * @param {Duplex} socket
 */
function upgrade(trees, incoming, socket) {
  const asked = forwarded(trees, incoming);
  asked.on("error", () => socket.destroy());
  asked.on("upgrade", (answer, upstream, first) => {
    const head = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head.join("\r\n")}\r\n\r\n`);
    // The first words may come together with the answer.
    socket.write(first);
    upstream.pipe(socket).pipe(upstream);
    for (const one of [socket, upstream]) one.on("error", () => socket.destroy());
    socket.on("close", () => upstream.destroy());
  });
  asked.end();
}
