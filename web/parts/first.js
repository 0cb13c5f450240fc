/**
 * The first minute: what to do while nothing real is connected. Open until a real device has spoken, then closed
 * for whoever wants it; a person's own choice is remembered.
 */

import { copyButton } from "./copy.js";
import { byId, setShown, setText } from "./dom.js";
import { publishLine } from "./format.js";
import { flashLine, nearest, openLine, parts, reachOf } from "./reach.js";

/** @typedef {import("./page.js").Page} Page */

const STORED = "mtom.first";

/** @param {Page} page */
export function createFirst(page) {
  /** @type {HTMLDetailsElement} */
  const place = byId("first");
  const lines = ["first-publish", "first-flash", "first-open"].map((id) =>
    copyButton(page, byId(`${id}-copy`), byId(id)),
  );
  let chosen = remembered();
  let isOurs = false;

  place.addEventListener("toggle", () => {
    if (place.open === isOurs) return;
    isOurs = place.open;
    chosen = place.open ? "open" : "closed";
    remember(chosen);
  });

  function render() {
    const { t, status, model } = page;
    for (const say of lines) say();
    if (status === null) return;
    setShown(place, true);
    const isNew = model.series.size === 0 || status.simulated;
    isOurs = chosen === null ? isNew : chosen === "open";
    if (place.open !== isOurs) place.open = isOurs;
    const reach = reachOf(status);
    const isOther = reach.kind === "other";
    const [address = "", ...more] = isOther ? reach.addresses : [];
    setShown(byId("first-reach"), isOther);
    setShown(byId("first-alone"), reach.kind === "alone");
    setShown(byId("first-nowhere"), reach.kind === "nowhere");
    const { host, port } = parts(address);
    setText(byId("first-host"), host);
    setText(byId("first-port"), port);
    setText(
      byId("first-more"),
      more.length === 0 ? "" : t("first.more", { addresses: more.join(", ") }),
    );
    setText(byId("first-flash"), isOther ? flashLine(address) : "");
    setText(byId("first-open"), openLine(status.listens.mqtt));
    const near = nearest(status);
    setText(byId("first-publish"), publishLine(`${near.host}:${near.port}`, page.host));
  }

  return { render };
}

/** @returns {"open" | "closed" | null} */
function remembered() {
  try {
    const stored = localStorage.getItem(STORED);
    return stored === "open" || stored === "closed" ? stored : null;
  } catch {
    return null;
  }
}

/** @param {string} choice */
function remember(choice) {
  try {
    localStorage.setItem(STORED, choice);
  } catch {
    // A browser may forbid storage; the choice then lasts as long as the page.
  }
}
