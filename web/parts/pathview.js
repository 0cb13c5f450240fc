/**
 * The path from the sensor to the actuator as a picture that lives: what passes where, how long it takes, and
 * red what is broken, with what to do. The same stands beside it as a list, for those who hear the page.
 */

import { path as askPath, storage } from "./api.js";
import { byId, el, setShown } from "./dom.js";
import { layout } from "./layout.js";
import { hops } from "./path.js";
import { single } from "./single.js";
import { svg, zoom } from "./svg.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./path.js").Hop} Hop */
/** @typedef {import("../wire.d.ts").Path} Path */
/** @typedef {import("../wire.d.ts").Storage} Storage */

const PERIOD_MILLIS = 2_000;
/** The text of a box begins so far from its edge. */
const INDENT = 10;

/**
 * @param {Page} page
 * @param {() => boolean} isOpen whether the gateway is heard
 * @param {() => boolean} isThere whether it is, or nobody knows yet that it is not
 */
export function createPath(page, isOpen, isThere) {
  const place = byId("path");
  const text = byId("path-text");
  const troubles = byId("path-troubles");
  /** @type {Path | null} */
  let path = null;
  /** @type {Storage["database"]} */
  let database = null;
  let width = 0;
  let scale = 1;
  let drawn = "";
  let said = "";

  new ResizeObserver(() => {
    scale = zoom();
    width = Math.floor(place.clientWidth / scale);
    render();
  }).observe(place);

  /** Asks only while somebody looks. */
  const load = single(async () => {
    if (document.visibilityState !== "visible" || !isOpen()) return;
    try {
      [path, { database }] = await Promise.all([askPath(), storage()]);
    } catch {
      // The socket tells when the gateway is away; the last picture stays.
      return;
    }
    render();
  });

  function render() {
    const { model, t, language } = page;
    // What passes, and what is broken, is of the present only.
    const passing = page.isReplay ? { path: null, database: null } : { path, database };
    const known = { model, ...passing, isOpen: isThere(), nowMillis: page.nowMillis() };
    const found = hops(known, t, language);
    const now = JSON.stringify([width, language, found]);
    // Untouched where nothing differs: nothing is read out twice, and the wires flow on.
    if (now === drawn) return;
    drawn = now;
    place.replaceChildren(picture(found));
    text.replaceChildren(...found.map((hop) => el("li", "foreign", spoken(hop))));
    const broken = found.filter(({ state }) => state === "broken");
    const wrong = JSON.stringify([
      language,
      broken.map((hop) => [hop.place, hop.trouble, hop.next]),
    ]);
    // A figure that moves is no news of what is wrong.
    if (wrong === said) return;
    said = wrong;
    setShown(troubles, broken.length > 0);
    troubles.replaceChildren(...broken.map(trouble));
  }

  /** @param {Hop} hop */
  function spoken({ place: where, state, figure, latency, trouble: wrong, next }) {
    const { t } = page;
    const parts = [t(`path.${state}`), figure, latency, wrong, next].filter((part) => part !== "");
    return t("path.sentence", { place: t(`path.${where}`), parts: parts.join(t("text.comma")) });
  }

  /** @param {Hop} hop */
  function trouble({ place: where, trouble: wrong, next }) {
    const { t } = page;
    const line = el(
      "li",
      "foreign",
      el("strong", "", t("path.place", { place: t(`path.${where}`) })),
      `${wrong}${t("text.stop")}`,
      el("span", "", `${sentence(next)}${t("text.stop").trim()}`),
    );
    line.dataset.place = where;
    return line;
  }

  /** @param {Hop[]} found */
  function picture(found) {
    const { t } = page;
    const { boxes, wires, width: wide, height } = layout(Math.max(width, 280));
    const of = new Map(found.map((hop) => [hop.place, hop]));
    const root = svg("svg", {
      class: "own",
      width: wide * scale,
      height: height * scale,
      viewBox: `0 0 ${wide} ${height}`,
      "aria-hidden": "true",
    });
    for (const { from, to, d, x, y, isBeside } of wires) {
      const [before, hop] = [of.get(from), of.get(to)];
      const isBroken = hop?.state === "broken" || before?.state === "broken";
      const state = isBroken
        ? "broken"
        : hop?.state === "good" && before?.state === "good"
          ? "good"
          : "idle";
      const group = svg(
        "g",
        { class: "wire", "data-state": state },
        svg("path", { class: "wire-line", d }),
      );
      const anchor = isBeside ? "start" : "middle";
      group.append(svg("text", { x, y, "text-anchor": anchor }, hop?.latency ?? ""));
      root.append(group);
    }
    for (const box of boxes) {
      const hop = of.get(box.place);
      const state = hop?.state ?? "idle";
      const { x, y, width: boxWidth, height: boxHeight } = box;
      const group = svg("g", { class: "hop", "data-place": box.place, "data-state": state });
      group.append(
        svg("rect", { x, y, width: boxWidth, height: boxHeight, rx: 8 }),
        svg("text", { x: x + INDENT, y: y + 20, class: "name" }, t(`path.${box.place}`)),
        svg("text", { x: x + INDENT, y: y + 38, class: "figure" }, hop?.figure ?? ""),
        svg(
          "text",
          { x: x + boxWidth - INDENT, y: y + 20, class: "mark", "text-anchor": "end" },
          MARKS[state],
        ),
      );
      root.append(group);
    }
    return root;
  }

  setInterval(() => void load(), PERIOD_MILLIS);
  return { load, render };
}

/**
 * The words of `mtom doctor` go on from a semicolon; here they begin a sentence.
 * @param {string} words
 */
function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What is broken differs by more than its colour. */
const MARKS = { good: "✓", idle: "–", broken: "✕" };
