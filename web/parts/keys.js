/** A chart by the keyboard. */

/**
 * @typedef {object} Moves
 * @property {(steps: number) => void} pan below 0: to the past
 * @property {(isCloser: boolean) => void} zoom
 * @property {() => void} back to the span before
 * @property {() => void} reset to the present
 * @property {(by: number) => void} step to the next point, or below 0 to the one before
 */

/**
 * @param {HTMLElement} place
 * @param {Moves} moves
 */
export function moveByKeys(place, moves) {
  place.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const act = actOf(event, moves);
    if (act === null) return;
    event.preventDefault();
    act();
  });
}

/**
 * @param {Pick<KeyboardEvent, "key" | "shiftKey">} event
 * @param {Moves} moves
 * @returns {(() => void) | null} null: the key means nothing here
 */
export function actOf({ key, shiftKey }, moves) {
  switch (key) {
    case "ArrowLeft":
      return () => (shiftKey ? moves.step(-1) : moves.pan(-1));
    case "ArrowRight":
      return () => (shiftKey ? moves.step(1) : moves.pan(1));
    case "+":
    case "=":
      return () => moves.zoom(true);
    case "-":
    case "_":
      return () => moves.zoom(false);
    case "Escape":
      return moves.back;
    case "End":
    case "0":
      return moves.reset;
    default:
      return null;
  }
}
