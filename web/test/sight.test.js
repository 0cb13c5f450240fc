/** The seen part of a list is found by halving. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { halve } from "../parts/sight.js";

test("the first that holds is found in any list, with few looks", () => {
  for (const length of [0, 1, 2, 3, 10, 1_000]) {
    for (let first = 0; first <= length; first += Math.max(1, length >> 4)) {
      let looks = 0;
      const found = halve(length, (index) => {
        assert.ok(index >= 0 && index < length);
        looks += 1;
        return index >= first;
      });
      assert.equal(found, first);
      assert.ok(looks <= Math.ceil(Math.log2(length + 1)), `${looks} looks at ${length}`);
    }
  }
});
