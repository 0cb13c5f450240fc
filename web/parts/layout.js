/** Where the parts of the path stand in a picture of a given width: beside each other, or below. Pure. */

/** @typedef {import("./path.js").Place} Place */
/** @typedef {{place: Place, x: number, y: number, width: number, height: number}} Box */
/** @typedef {{from: Place, to: Place, d: string, x: number, y: number, isBeside: boolean}} Wire */
/** @typedef {{width: number, height: number, boxes: Box[], wires: Wire[]}} Layout */

/** @type {[Place, Place][]} what leads to what */
const WIRES = [
  ["sensor", "broker"],
  ["broker", "gateway"],
  ["gateway", "store"],
  ["gateway", "rules"],
  ["rules", "actuator"],
];

/** From here on everything stands in a row. */
const ROW_WIDTH_MIN = 600;
const BOX_HEIGHT = 48;
const BOX_WIDTH_MAX = 150;
const BOX_SHARE = 0.62;
const GAP = 14;
const COLUMNS = 5;
/** Room for a line of text beside a wire. */
const WIRE_HEIGHT = 24;

/**
 * @param {number} width
 * @returns {Layout}
 */
export function layout(width) {
  const boxes = width >= ROW_WIDTH_MIN ? inRow(width) : inColumn(width);
  const height = Math.max(...boxes.map((box) => box.y + box.height)) + 1;
  const isRow = width >= ROW_WIDTH_MIN;
  const wires = WIRES.map(([from, to]) => wire(boxOf(boxes, from), boxOf(boxes, to), isRow));
  return { width, height, boxes, wires };
}

/**
 * @param {number} width
 * @returns {Box[]}
 */
function inRow(width) {
  const pitch = width / COLUMNS;
  const boxWidth = Math.min(BOX_WIDTH_MAX, Math.floor(pitch * BOX_SHARE));
  const step = (width - boxWidth - 2) / (COLUMNS - 1);
  const low = BOX_HEIGHT + GAP;
  /** @type {[Place, number, number][]} */
  const places = [
    ["sensor", 0, low / 2],
    ["broker", 1, low / 2],
    ["gateway", 2, low / 2],
    ["store", 3, 0],
    ["rules", 3, low],
    ["actuator", 4, low],
  ];
  return places.map(([place, column, y]) => ({
    place,
    x: Math.round(1 + column * step),
    y: y + 1,
    width: boxWidth,
    height: BOX_HEIGHT,
  }));
}

/**
 * @param {number} width
 * @returns {Box[]}
 */
function inColumn(width) {
  const half = Math.floor((width - GAP) / 2) - 1;
  const step = BOX_HEIGHT + WIRE_HEIGHT;
  /** @type {[Place, number, number, number][]} */
  const places = [
    ["sensor", 1, 0, width - 2],
    ["broker", 1, 1, width - 2],
    ["gateway", 1, 2, width - 2],
    ["store", 1, 3, half],
    ["rules", 1 + half + GAP, 3, half],
    ["actuator", 1 + half + GAP, 4, half],
  ];
  return places.map(([place, x, row, boxWidth]) => ({
    place,
    x,
    y: 1 + row * step,
    width: boxWidth,
    height: BOX_HEIGHT,
  }));
}

/**
 * @param {Box[]} boxes
 * @param {Place} place
 */
function boxOf(boxes, place) {
  const found = boxes.find((box) => box.place === place);
  if (found === undefined) throw new Error(`${place} has no place`);
  return found;
}

/**
 * @param {Box} from
 * @param {Box} to
 * @param {boolean} isRow
 * @returns {Wire}
 */
function wire(from, to, isRow) {
  const ends = { from: from.place, to: to.place };
  if (isRow) {
    const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
    const [x2, y2] = [to.x, to.y + to.height / 2];
    const middle = (x1 + x2) / 2;
    const d = `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
    // The text stands on the side to which the wire turns.
    return { ...ends, d, x: middle, y: y2 > y1 ? y2 + 14 : y2 - 6, isBeside: false };
  }
  const x = to.x + to.width / 2;
  const [y1, y2] = [from.y + from.height, to.y];
  return { ...ends, d: `M${x} ${y1}V${y2}`, x: x + 8, y: (y1 + y2) / 2 + 4, isBeside: true };
}
