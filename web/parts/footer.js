/** Where everything listens, and a command that publishes a reading, ready to be copied. */

import { copyButton } from "./copy.js";
import { byId, el, setText } from "./dom.js";
import { publishLine, reachable, stamp } from "./format.js";

/** @typedef {import("./page.js").Page} Page */

/** @param {Page} page */
export function createFooter(page) {
  const line = byId("try-line");
  const say = copyButton(page, byId("try-copy"), line);

  function render() {
    const { t, status, language } = page;
    say();
    setText(
      byId("footer-zone"),
      t("footer.zone", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
    );
    if (status === null) return;
    const { mqtt, live, history, tcp, udp } = status.listens;
    const api = el("a", "", "/api/v1/");
    api.href = "/api/v1/";
    byId("addresses").replaceChildren(
      ...entry(t("footer.mqtt"), address("mqtt://", mqtt, page.host)),
      ...entry(t("footer.live"), address("ws://", live, page.host)),
      ...entry(t("footer.history"), address("ws://", history, page.host)),
      ...entry(t("footer.tcp"), address("tcp://", tcp, page.host)),
      ...(udp === "" ? [] : entry(t("footer.udp"), address("udp://", udp, page.host))),
      ...entry(t("footer.api"), api),
    );
    setText(line, publishLine(mqtt, page.host));
    const time = stamp(status.started_at_micros, language);
    setText(byId("footer-version"), t("footer.version", { version: status.version, time }));
  }

  return { render };
}

/**
 * @param {string} scheme
 * @param {string} listens
 * @param {string} pageHost
 */
function address(scheme, listens, pageHost) {
  if (listens === "") return el("code", "", "–");
  const { host, port } = reachable(listens, pageHost);
  return el("code", "", `${scheme}${host}:${port}`);
}

/**
 * @param {string} name
 * @param {Node} value
 */
function entry(name, value) {
  return [el("div", "", el("dt", "", name), el("dd", "", value))];
}
