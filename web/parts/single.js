/**
 * One at a time, and the newest wins: what is asked for while it is still asked is asked once more afterwards,
 * however often it was wanted meanwhile. Pure.
 */

/**
 * @param {() => Promise<unknown>} task reads what it asks for when it begins
 * @returns {() => Promise<void>} ends when nothing is wanted any more, and fails when the last try has
 */
export function single(task) {
  let isWanted = false;
  /** @type {Promise<void> | null} */
  let running = null;

  async function run() {
    // The caller's own turn ends first, so that `running` is set however soon the task is over.
    await null;
    let failure;
    while (isWanted) {
      isWanted = false;
      failure = undefined;
      try {
        await task();
      } catch (error) {
        failure = { error };
      }
    }
    running = null;
    if (failure !== undefined) throw failure.error;
  }

  return () => {
    isWanted = true;
    running ??= run();
    return running;
  };
}
