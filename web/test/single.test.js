/** Asking one at a time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { single } from "../parts/single.js";

/** A gateway that answers when it is told to. */
function slow() {
  /** @type {(() => void)[]} */
  const answers = [];
  /** @type {string[]} */
  const asked = [];
  let answered = 0;
  let most = 0;
  return {
    asked,
    most: () => most,
    /** @param {string} question */
    ask(question) {
      asked.push(question);
      most = Math.max(most, asked.length - answered);
      return new Promise((done) => answers.push(() => done(undefined)));
    },
    async answer() {
      answers.shift()?.();
      answered += 1;
      // Whoever waits for it goes on.
      await new Promise((done) => setImmediate(done));
    },
  };
}
test("while one is asked no other is, and of many wishes the newest is asked once", async () => {
  const gateway = slow();
  let wish = "";
  const load = single(() => gateway.ask(wish));
  const all = [];
  for (wish of ["a", "b", "c", "d"]) {
    all.push(load());
    // The first has begun before the second is wanted.
    await new Promise((done) => setImmediate(done));
  }
  assert.deepEqual(gateway.asked, ["a"]);
  await gateway.answer();
  assert.deepEqual(gateway.asked, ["a", "d"], "the newest, not those between");
  await gateway.answer();
  await Promise.all(all);
  assert.equal(gateway.most(), 1);
  void load();
  await new Promise((done) => setImmediate(done));
  assert.equal(gateway.asked.length, 3, "and then it can be asked again");
});

test("whoever wants it while it runs waits for the answer that is his own", async () => {
  const gateway = slow();
  const load = single(() => gateway.ask(""));
  void load();
  await new Promise((done) => setImmediate(done));
  let isDone = false;
  const mine = load().then(() => {
    isDone = true;
  });
  await gateway.answer();
  assert.equal(isDone, false);
  await gateway.answer();
  await mine;
});

test("one that fails does not keep the next from its turn", async () => {
  let tries = 0;
  const load = single(async () => {
    tries += 1;
    if (tries === 1) throw new Error("away");
  });
  await assert.rejects(load(), /away/);
  await load();
  assert.equal(tries, 2);
});
