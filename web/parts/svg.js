/** Making the elements of pictures. Texts become text nodes, as in `dom.js`. */

const SVG = "http://www.w3.org/2000/svg";

/** The size of texts that pictures are made for. */
const TEXT_PIXELS = 15;

/** How much larger texts are now: on a wall they are. */
export function zoom() {
  const { fontSize } = getComputedStyle(document.documentElement);
  return Number.parseFloat(fontSize) / TEXT_PIXELS || 1;
}

/**
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElementTagNameMap[Name]}
 */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}
