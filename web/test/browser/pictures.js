/**
 * Pictures of the page, compared with approved ones so that another font or browser passes and a change does not.
 *
 * A picture is kept small, with a list of what is where in it. Boxes are compared by their places. Colours are
 * compared where no text is, and one that is found close by counts as found. `UPDATE_EXPECT=1` approves what is
 * there now.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {[number, number, number, number]} Box left, top, width and height in pixels of the page */
/** @typedef {{texts: Box[], boxes: [string, Box][]}} Layout */
/** @typedef {Layout & {png: Buffer, scale: number}} Picture so many pixels of the page are one of it */

const approved = fileURLToPath(new URL("approved/", import.meta.url));
const differences = fileURLToPath(new URL("../../../target/screenshots/changed/", import.meta.url));
/** What a layout is made of: places, not what is written in them. */
const BOXES =
  "section, dialog, header, form, ul, ol, dl, table, textarea, canvas, svg, .device, .lamp";
/** Pixels of the page that a box may be off … */
const OFF_PIXELS = 14;
/** … and the part of how far down or how high it is: lines of text are not everywhere as high. */
const OFF_PART = 0.06;
/** Pixels of the page within which a colour may have moved. */
const NEAR_PIXELS = 12;
/** Of 255, in one of red, green and blue. */
const COLOUR_OFF = 40;
/** The part of a picture that may have colours which the other has not. */
const PART_MAX = 0.002;
/** So many of them in one place are a thing of their own. */
const TILE_PIXELS = 60;
const TILE_MAX = 10;

/**
 * @param {Page} page
 * @param {string} selector
 * @param {number} scale
 * @returns {Promise<Picture>}
 */
export async function take(page, selector, scale) {
  const place = page.locator(selector);
  const layout = await place.evaluate(layoutOf, BOXES);
  const whole = await place.screenshot({ animations: "disabled", caret: "hide", scale: "css" });
  const small = await page.evaluate(shrink, { base64: whole.toString("base64"), scale });
  return { ...layout, png: Buffer.from(small, "base64"), scale };
}

/**
 * What differs from the approved picture, in words; nothing where it may pass.
 * @param {Page} page that pictures are read with
 * @param {string} name
 * @param {Picture} picture
 * @returns {Promise<string[]>}
 */
export async function changes(page, name, picture) {
  if (process.env.UPDATE_EXPECT === "1") keep(name, picture);
  const known = read(name, picture.scale);
  if (known === null) return [`${name}: there is no approved picture; ${HOW}`];
  const { words, png } = await compare(page, known, picture);
  if (words.length === 0) return [];
  mkdirSync(differences, { recursive: true });
  const path = join(differences, `${name}.png`);
  writeFileSync(path, png);
  return words.map((word) => `${name}: ${word}; look at ${path}, and ${HOW}`);
}

const HOW =
  "where it is as it should be, approve it: UPDATE_EXPECT=1 cargo xtask test --only browser";

/**
 * @param {Page} page
 * @param {Picture} known
 * @param {Picture} found
 */
export async function compare(page, known, found) {
  const { scale } = found;
  const texts = [...known.texts, ...found.texts].map((box) => box.map((side) => side / scale));
  const { part, tile, base64 } = await page.evaluate(differ, {
    known: known.png.toString("base64"),
    found: found.png.toString("base64"),
    texts,
    near: Math.round(NEAR_PIXELS / scale),
    off: COLOUR_OFF,
    tile: Math.round(TILE_PIXELS / scale),
  });
  const words = moved(known.boxes, found.boxes);
  if (part > PART_MAX) words.push(`${(part * 100).toFixed(2)} % of its colours are others`);
  else if (tile > TILE_MAX) words.push(`${tile} pixels in one place have other colours`);
  return { words, png: Buffer.from(base64, "base64") };
}

/**
 * @param {readonly [string, Box][]} known
 * @param {readonly [string, Box][]} found
 * @returns {string[]}
 */
export function moved(known, found) {
  const names = (/** @type {typeof known} */ boxes) => boxes.map(([name]) => name);
  const [before, after] = [names(known), names(found)];
  const lacks = [
    ...before.filter((name) => count(before, name) > count(after, name)),
    ...after.filter((name) => count(after, name) > count(before, name)),
  ];
  if (lacks.length > 0) {
    const all = [...new Set(lacks)];
    return all.map((name) => `${name}: ${count(after, name)}, not ${count(before, name)}`);
  }
  return found.flatMap(([name, box], index) => {
    // The n-th of that name: others may have come between.
    const nth = count(after.slice(0, index), name);
    const was = known.filter(([other]) => other === name)[nth]?.[1] ?? box;
    const isOff = box.some((side, at) => {
      const expected = was[at] ?? 0;
      return Math.abs(side - expected) > OFF_PIXELS + (at % 2 === 1 ? OFF_PART * expected : 0);
    });
    return isOff ? [`${name} is at ${box.join(" ")}, not ${was.join(" ")}`] : [];
  });
}

/** @param {readonly string[]} names @param {string} name */
const count = (names, name) => names.filter((other) => other === name).length;

/** @param {string} name @param {Picture} picture */
function keep(name, { png, texts, boxes }) {
  mkdirSync(approved, { recursive: true });
  writeFileSync(join(approved, `${name}.png`), png);
  const lines = [
    ...boxes.map(([what, box]) => `${what} ${box.join(" ")}`),
    ...texts.map((box) => `text ${box.join(" ")}`),
  ];
  writeFileSync(join(approved, `${name}.txt`), `${lines.join("\n")}\n`);
}

/** @param {string} name @param {number} scale @returns {Picture | null} */
function read(name, scale) {
  const path = join(approved, name);
  if (!existsSync(`${path}.png`)) return null;
  /** @type {[string, Box][]} */
  const all = readFileSync(`${path}.txt`, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [what = "", ...sides] = line.split(" ");
      const [left = 0, top = 0, width = 0, height = 0] = sides.map(Number);
      return [what, [left, top, width, height]];
    });
  const texts = all.filter(([what]) => what === "text").map(([, box]) => box);
  const boxes = all.filter(([what]) => what !== "text");
  return { png: readFileSync(`${path}.png`), scale, texts, boxes };
}

/**
 * In the page: where its boxes and texts are.
 * @param {Element} place
 * @param {string} selector
 * @returns {Layout}
 */
function layoutOf(place, selector) {
  const origin = place.getBoundingClientRect();
  /** @param {DOMRect} rect @returns {Box} */
  const box = ({ left, top, width, height }) => [
    Math.round(left - origin.left),
    Math.round(top - origin.top),
    Math.round(width),
    Math.round(height),
  ];
  /** @type {[string, Box][]} */
  const boxes = [place, ...place.querySelectorAll(selector)]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .map((element) => {
      const name = element.id === "" ? (element.classList[0] ?? "") : `#${element.id}`;
      return [
        `${element.localName}${name.startsWith("#") ? name : `.${name}`}`,
        box(element.getBoundingClientRect()),
      ];
    });
  /** @type {Box[]} */
  const texts = [];
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) if (rect.width > 1) texts.push(box(rect));
  }
  // What is written in a field is no text node.
  for (const field of place.querySelectorAll("input, select, textarea")) {
    if (field.checkVisibility()) texts.push(box(field.getBoundingClientRect()));
  }
  return { texts, boxes };
}

/**
 * In a page: the picture with the mean of so many pixels in the place of each, in few colours.
 * @param {{base64: string, scale: number}} asked
 * @returns {Promise<string>}
 */
async function shrink({ base64, scale }) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const [width, height] = [Math.ceil(image.width / scale), Math.ceil(image.height / scale)];
  const large = new OffscreenCanvas(image.width, image.height);
  const small = new OffscreenCanvas(width, height);
  const [from, to] = [large.getContext("2d"), small.getContext("2d")];
  if (from === null || to === null) throw new Error("no canvas");
  from.drawImage(image, 0, 0);
  const { data } = from.getImageData(0, 0, image.width, image.height);
  const made = to.createImageData(width, height);
  for (let at = 0; at < width * height; at += 1) {
    const [left, top] = [(at % width) * scale, Math.floor(at / width) * scale];
    const [right, bottom] = [
      Math.min(left + scale, image.width),
      Math.min(top + scale, image.height),
    ];
    for (let channel = 0; channel < 3; channel += 1) {
      let sum = 0;
      for (let y = top; y < bottom; y += 1) {
        for (let x = left; x < right; x += 1) sum += data[(y * image.width + x) * 4 + channel] ?? 0;
      }
      const mean = sum / ((right - left) * (bottom - top));
      made.data[at * 4 + channel] = Math.min(255, Math.round(mean / 8) * 8);
    }
    made.data[at * 4 + 3] = 255;
  }
  to.putImageData(made, 0, 0);
  const png = new Uint8Array(await (await small.convertToBlob()).arrayBuffer());
  return btoa(Array.from(png, (byte) => String.fromCharCode(byte)).join(""));
}

/**
 * In a page: how many colours of each picture the other has not near by, outside of texts; and both beside each
 * other with these in red.
 * @param {{known: string, found: string, texts: number[][], near: number, off: number, tile: number}} asked
 */
async function differ({ known, found, texts, near, off, tile }) {
  /** @param {string} base64 */
  const read = async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("no canvas");
    context.drawImage(image, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, image.width, image.height);
    return { image, data, width, height };
  };
  const [a, b] = [await read(known), await read(found)];
  const [width, height] = [Math.max(a.width, b.width), Math.max(a.height, b.height)];
  const isText = new Uint8Array(width * height);
  for (const [left = 0, top = 0, wide = 0, high = 0] of texts) {
    for (
      let y = Math.max(0, Math.floor(top) - 1);
      y <= Math.min(height - 1, top + high + 1);
      y += 1
    ) {
      for (
        let x = Math.max(0, Math.floor(left) - 1);
        x <= Math.min(width - 1, left + wide + 1);
        x += 1
      )
        isText[y * width + x] = 1;
    }
  }
  /** @typedef {{width: number, height: number, data: Uint8ClampedArray | ArrayLike<number>}} Pixels */
  /** @param {Pixels} one @param {Pixels} other @param {number} x @param {number} y */
  const isFound = (one, other, x, y) => {
    const at = (y * one.width + x) * 4;
    for (let dy = -near; dy <= near; dy += 1) {
      for (let dx = -near; dx <= near; dx += 1) {
        const [toX, toY] = [x + dx, y + dy];
        if (toX < 0 || toY < 0 || toX >= other.width || toY >= other.height) continue;
        const to = (toY * other.width + toX) * 4;
        let worst = 0;
        for (let channel = 0; channel < 3; channel += 1) {
          const difference = (one.data[at + channel] ?? 0) - (other.data[to + channel] ?? 0);
          worst = Math.max(worst, Math.abs(difference));
        }
        if (worst <= off) return true;
      }
    }
    return false;
  };
  const canvas = new OffscreenCanvas(width * 2 + 8, height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.drawImage(a.image, 0, 0);
  context.drawImage(b.image, width + 8, 0);
  context.fillStyle = "red";
  let count = 0;
  /** @type {Map<string, number>} */
  const tiles = new Map();
  for (const [one, other, shift] of /** @type {const} */ ([
    [a, b, 0],
    [b, a, width + 8],
  ])) {
    for (let y = 0; y < one.height; y += 1) {
      for (let x = 0; x < one.width; x += 1) {
        if (isText[y * width + x] === 1 || isFound(one, other, x, y)) continue;
        count += 1;
        context.fillRect(x + shift, y, 1, 1);
        const key = `${shift} ${Math.floor(x / tile)} ${Math.floor(y / tile)}`;
        tiles.set(key, (tiles.get(key) ?? 0) + 1);
      }
    }
  }
  const png = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
  const base64 = btoa(Array.from(png, (byte) => String.fromCharCode(byte)).join(""));
  return { part: count / (width * height), tile: Math.max(0, ...tiles.values()), base64 };
}
