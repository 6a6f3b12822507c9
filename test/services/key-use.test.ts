import { describe, expect, test } from "@jest/globals";
import { KeyUse } from "../../src/services/key-use.ts";
import type { Store } from "../../src/store/store.ts";

describe("notes of the use of keys", () => {
  test("are waited for, and leave nothing behind", async () => {
    let written = 0;
    const commit = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      written++;
      return true;
    };
    const use = new KeyUse({ commit } as unknown as Store, () => new Date());
    for (let key = 0; key < 5; key++) use.note(`k${key}`);
    await use.settled();
    expect(written).toBe(5);
    // Each note waits for those before it: what it resolved to would be held for as long as the server runs.
    expect(await (use as unknown as { writing: Promise<unknown> }).writing).toBeUndefined();
  });
});
