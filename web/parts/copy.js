/** A button that copies a text, and says that it did. */

import { setText } from "./dom.js";

/** @typedef {import("./page.js").Page} Page */

const COPIED_MILLIS = 2_000;

/**
 * @param {Page} page
 * @param {HTMLElement} button
 * @param {HTMLElement} source whose text is copied
 * @returns {() => void} says it anew, in the page's language
 */
export function copyButton(page, button, source) {
  /** @type {"footer.copy" | "footer.copied" | "footer.selected"} */
  let said = "footer.copy";
  const say = () => setText(button, page.t(said));
  button.addEventListener("click", async () => {
    said = "footer.copied";
    try {
      await navigator.clipboard.writeText(source.textContent ?? "");
    } catch {
      // Without TLS, or where it is forbidden, there is no clipboard; a selection there always is.
      getSelection()?.selectAllChildren(source);
      said = "footer.selected";
    }
    say();
    setTimeout(() => {
      said = "footer.copy";
      say();
    }, COPIED_MILLIS);
  });
  say();
  return say;
}
