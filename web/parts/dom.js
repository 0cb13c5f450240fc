/** Making elements. Texts become text nodes: nothing here or elsewhere reads HTML from a string. */

/**
 * The element of that id; the page is broken without it.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return /** @type {T} */ (element);
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} className
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function el(name, className, ...children) {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

/**
 * Writes a text where it differs, so that nothing is announced or painted twice.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the rows of a list those of the keys. A row that is there stays where it is, so that a finger or the focus
 * on it does; a new one comes after the row before it.
 * @template {{row: HTMLElement}} Row
 * @param {HTMLElement} list
 * @param {Map<string, Row>} rows changed
 * @param {readonly string[]} keys each once
 * @param {(key: string) => Row} make
 */
export function keepRows(list, rows, keys, make) {
  const wanted = new Set(keys);
  for (const [key, { row }] of rows) {
    if (wanted.has(key)) continue;
    row.remove();
    rows.delete(key);
  }
  /** @type {HTMLElement | null} */
  let before = null;
  for (const key of keys) {
    const known = rows.get(key);
    const found = known ?? make(key);
    if (known === undefined) {
      rows.set(key, found);
      list.insertBefore(found.row, before === null ? list.firstChild : before.nextSibling);
    }
    before = found.row;
  }
}

/**
 * @param {HTMLElement} element
 * @param {boolean} shown
 */
export function setShown(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}
