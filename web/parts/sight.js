/**
 * Which elements of a long list are on the screen.
 *
 * The browser's own watching of each of a thousand elements costs milliseconds in every frame. The elements of
 * a list stand in order from top to bottom, so the seen ones are found by halving, and only when something
 * may have moved: at a scroll, a change of a size, or when it is asked for.
 */

/** So far beyond the list's edge an element counts as seen: it is drawn before it comes into sight. */
const MARGIN_PIXELS = 100;

/**
 * @param {HTMLElement} list
 * @param {(element: Element, isSeen: boolean) => void} onChange
 */
export function createSight(list, onChange) {
  /** @type {Set<Element>} */
  let seen = new Set();
  let isAsked = false;

  /** Looks now. */
  function look() {
    const before = seen;
    seen = new Set(found());
    for (const element of before) if (!seen.has(element)) onChange(element, false);
    for (const element of seen) if (!before.has(element)) onChange(element, true);
  }

  /** Looks once in the next frame. */
  function ask() {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      look();
    });
  }

  function found() {
    const { top, bottom, width } = list.getBoundingClientRect();
    const from = Math.max(top, 0) - MARGIN_PIXELS;
    const until = Math.min(bottom, innerHeight) + MARGIN_PIXELS;
    // Hidden, or scrolled out of sight.
    if (width === 0 || bottom < -MARGIN_PIXELS || until <= from) return [];
    const all = list.children;
    const boxOf = (/** @type {number} */ index) => all[index]?.getBoundingClientRect();
    const first = halve(all.length, (index) => (boxOf(index)?.bottom ?? 0) > from);
    const end = halve(all.length, (index) => (boxOf(index)?.top ?? 0) >= until);
    return [...all].slice(first, end);
  }

  // From whatever is scrolled: such events do not bubble.
  document.addEventListener("scroll", ask, { capture: true, passive: true });
  addEventListener("resize", ask);
  const sizes = new ResizeObserver(ask);
  sizes.observe(list);
  // What grows above the list moves it.
  sizes.observe(document.body);

  return { look };
}

/**
 * The first index for which it holds, as it does for all after that; `length` where it never does.
 * @param {number} length
 * @param {(index: number) => boolean} holds
 */
export function halve(length, holds) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
