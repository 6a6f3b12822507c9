import { describe, expect, test } from "@jest/globals";
import type { Aliases } from "../../src/services/aliases.ts";
import type { Prompts } from "../../src/services/prompts.ts";
import { ThroughResolver } from "../../src/services/through.ts";

const through = new ThroughResolver({} as Prompts, {} as Aliases);

describe("templates", () => {
  test("have at most 200 characters each", () => {
    const longest = `{label}${"x".repeat(193)}`;
    expect(through.templates([longest])).toEqual([`{}${"x".repeat(193)}`]);
    const refused = expect.objectContaining({
      code: "VALIDATION_FAILED",
      message: expect.stringMatching(/200/),
    });
    expect(() => through.templates(["{}", `${longest}x`])).toThrow(refused);
  });

  test("are at most 100", () => {
    const refused = expect.objectContaining({ code: "VALIDATION_FAILED" });
    expect(() => through.templates(Array.from({ length: 101 }, () => "{}"))).toThrow(refused);
  });
});
