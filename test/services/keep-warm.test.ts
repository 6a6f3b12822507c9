import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { KeepWarm } from "../../src/services/keep-warm.ts";

const [IDLE, GRACE] = [600, 60];

class Thing {
  usedAt = performance.now();
  isClosed = false;

  set isBusy(isBusy: boolean) {
    this.usedAt = isBusy ? Number.POSITIVE_INFINITY : performance.now();
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

let things: KeepWarm<Thing>;
let opened: Thing[];
beforeEach(() => {
  jest.useFakeTimers();
  things = new KeepWarm<Thing>(IDLE, GRACE);
  opened = [];
});
afterEach(() => {
  jest.useRealTimers();
});

const open = async (): Promise<Thing> => {
  opened.push(new Thing());
  return opened.at(-1)!;
};
const get = (key = "one") => things.get(key, open);
const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

describe("a thing that is kept warm", () => {
  test("is opened once for all who ask", async () => {
    const [first, second] = await Promise.all([get(), get()]);
    expect(second).toBe(first);
    expect(await get()).toBe(first);
    expect(opened).toHaveLength(1);
    expect(things.opened("one")).toBe(first);
    expect(things.all()).toEqual([first]);
    expect(things.has("another")).toBe(false);
  });

  test("is closed when nobody has asked for it for a while, and opened anew", async () => {
    const thing = await get();
    await pass(IDLE - 1);
    await get();
    await pass(IDLE - 1);
    expect(things.has("one")).toBe(true);
    await pass(1);
    expect(things.has("one")).toBe(false);
    expect(thing.isClosed).toBe(false);
    await pass(GRACE);
    expect(thing.isClosed).toBe(true);
    expect(await get()).not.toBe(thing);
  });

  test("stays as long as it is busy", async () => {
    const thing = await get();
    thing.isBusy = true;
    await pass(10 * IDLE);
    expect(await get()).toBe(thing);
    thing.isBusy = false;
    await pass(IDLE + GRACE);
    expect(thing.isClosed).toBe(true);
  });

  test("stays as long as it takes to open it", async () => {
    const slow = things.get("slow", async () => {
      await new Promise((resolve) => setTimeout(resolve, 3.5 * IDLE));
      return open();
    });
    await pass(3 * IDLE);
    expect(things.has("slow")).toBe(true);
    await pass(IDLE);
    expect((await slow).isClosed).toBe(false);
  });

  test("stays for ever where there is no bound", async () => {
    things = new KeepWarm<Thing>(undefined, GRACE);
    const thing = await get();
    await pass(1e9);
    expect(await get()).toBe(thing);
    await things.close();
    expect(thing.isClosed).toBe(true);
  });

  test("that cannot be opened is tried again", async () => {
    const broken = things.get("one", () => Promise.reject(new Error("broken")));
    await expect(broken).rejects.toThrow("broken");
    expect(things.has("one")).toBe(false);
    expect(await get()).toBeInstanceOf(Thing);
  });
});

describe("a thing that is opened anew", () => {
  test("is given once that has succeeded, and the one before is closed when nobody uses it any more", async () => {
    const old = await get();
    old.isBusy = true;
    things.renew("one", old, open);
    expect(await get()).toBe(old);
    await pass(0);
    const fresh = await get();
    expect(fresh).toBe(opened[1]);
    await pass(2 * GRACE);
    expect(old.isClosed).toBe(false);
    old.isBusy = false;
    await pass(GRACE);
    expect([old.isClosed, fresh.isClosed]).toEqual([true, false]);
  });

  test("stays where that fails, and may be tried again", async () => {
    const old = await get();
    for (let tries = 0; tries < 2; tries++) {
      things.renew("one", old, () => Promise.reject(new Error("broken")));
      await pass(0);
      expect(await get()).toBe(old);
    }
    things.renew("one", old, open);
    await pass(0);
    expect(await get()).not.toBe(old);
  });

  test("is opened once, and not for one that is there no more", async () => {
    const old = await get();
    for (let tries = 0; tries < 3; tries++) things.renew("one", old, open);
    await pass(0);
    things.renew("one", old, open);
    await pass(0);
    expect(opened).toHaveLength(2);
  });

  test("is closed where it was let go of meanwhile", async () => {
    const old = await get();
    things.renew("one", old, open);
    things.release("one");
    await pass(GRACE);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    expect(things.has("one")).toBe(false);
  });
});

describe("a thing that is let go of", () => {
  test("is closed once nobody uses it, while others have a new one", async () => {
    const thing = await get();
    thing.isBusy = true;
    things.release("one");
    expect(await get()).not.toBe(thing);
    await pass(3 * GRACE);
    expect(thing.isClosed).toBe(false);
    // Whoever used it last may have more to ask.
    await pass(GRACE / 2);
    thing.isBusy = false;
    await pass(GRACE - 1);
    expect(thing.isClosed).toBe(false);
    await pass(GRACE);
    expect(thing.isClosed).toBe(true);
    expect(opened[1].isClosed).toBe(false);
  });

  test("while it is being opened is closed all the same", async () => {
    let finish = () => {};
    const slow = things.get("slow", async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return open();
    });
    things.release("slow");
    const closing = things.close();
    finish();
    await closing;
    expect((await slow).isClosed).toBe(true);
  });

  test("is closed with all others, and only once", async () => {
    const [one, other] = [await get("one"), await get("other")];
    const close = jest.spyOn(one, "close");
    things.release("one");
    things.release("nothing");
    await things.close();
    await pass(10 * IDLE);
    expect(close).toHaveBeenCalledTimes(1);
    expect(other.isClosed).toBe(true);
  });
});
