import { describe, expect, test } from "@jest/globals";
import { SharedWork } from "../../../src/engine/runtime/shared-work.ts";

/** Work that ends when it is told to, and remembers what was begun and what was abandoned. */
function works() {
  const begun: {
    key: string;
    signal: AbortSignal;
    resolve(value: string): void;
    reject(error: Error): void;
  }[] = [];
  const shared = new SharedWork<string>();
  const join = (key: string, signal?: AbortSignal) =>
    shared.join(
      key,
      (abandoned) =>
        new Promise<string>((resolve, reject) => {
          begun.push({ key, signal: abandoned, resolve, reject });
        }),
      signal,
    );
  return { shared, begun, join };
}

describe("SharedWork", () => {
  test("is done once for all who ask while it is under way, and again for whoever asks later", async () => {
    const { shared, begun, join } = works();
    const both = [join("a"), join("a"), join("b")];
    expect(begun.map(({ key }) => key)).toEqual(["a", "b"]);
    begun[0].resolve("one");
    begun[1].resolve("two");
    expect(await Promise.all(both)).toEqual(["one", "one", "two"]);
    expect(shared.has("a")).toBe(false);
    const later = join("a");
    expect(begun).toHaveLength(3);
    begun[2].resolve("three");
    expect(await later).toBe("three");
  });

  test("fails for all who wait, and is begun anew afterwards", async () => {
    const { begun, join } = works();
    const both = Promise.allSettled([join("a"), join("a")]);
    begun[0].reject(new Error("too dark"));
    expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    void join("a");
    expect(begun).toHaveLength(2);
  });

  test("goes on when one of those who wait has gone", async () => {
    const { begun, join } = works();
    const gone = new AbortController();
    const [first, second] = [join("a", gone.signal), join("a")];
    gone.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    expect(begun[0].signal.aborted).toBe(false);
    begun[0].resolve("one");
    expect(await second).toBe("one");
  });

  test("is abandoned when all have gone; whoever asks then does not get what was abandoned", async () => {
    const { begun, join } = works();
    const gone = new AbortController();
    const both = Promise.allSettled([join("a", gone.signal), join("a", gone.signal)]);
    gone.abort(new Error("gone"));
    await both;
    expect(begun[0].signal.aborted).toBe(true);
    const next = join("a");
    begun[0].reject(new Error("abandoned"));
    begun[1].resolve("one");
    expect(await next).toBe("one");
    await expect(join("a", gone.signal)).rejects.toThrow("gone");
    expect(begun).toHaveLength(2);
  });
});
