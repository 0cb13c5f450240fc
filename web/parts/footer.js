/** Where everything listens, and a command that publishes a reading, ready to be copied. */

import { byId, el, setText } from "./dom.js";
import { publishLine, reachable, stamp } from "./format.js";

/** @typedef {import("./page.js").Page} Page */

const COPIED_MILLIS = 2_000;

/** @param {Page} page */
export function createFooter(page) {
  const line = byId("try-line");
  const copy = byId("try-copy");
  /** @type {"footer.copy" | "footer.copied" | "footer.selected"} */
  let said = "footer.copy";

  copy.addEventListener("click", async () => {
    said = "footer.copied";
    try {
      await navigator.clipboard.writeText(line.textContent ?? "");
    } catch {
      // Without TLS, or where it is forbidden, there is no clipboard; a selection there always is.
      getSelection()?.selectAllChildren(line);
      said = "footer.selected";
    }
    setText(copy, page.t(said));
    setTimeout(() => {
      said = "footer.copy";
      setText(copy, page.t(said));
    }, COPIED_MILLIS);
  });

  function render() {
    const { t, status, language } = page;
    setText(copy, t(said));
    setText(
      byId("footer-zone"),
      t("footer.zone", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
    );
    if (status === null) return;
    const { mqtt, live, history } = status.listens;
    const api = el("a", "", "/api/v1/");
    api.href = "/api/v1/";
    byId("addresses").replaceChildren(
      ...entry(t("footer.mqtt"), address("mqtt://", mqtt, page.host)),
      ...entry(t("footer.live"), address("ws://", live, page.host)),
      ...entry(t("footer.history"), address("ws://", history, page.host)),
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
