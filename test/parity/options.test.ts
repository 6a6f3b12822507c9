import { describe, expect, test } from "@jest/globals";
import { readOptions } from "../../parity/options.ts";

describe("the command line of the parity check", () => {
  test("compares the four models of true size by default", () => {
    expect(readOptions([])).toMatchObject({
      models: ["rn50", "vit-b-32", "vit-b-16", "hf-vit-b-32"],
      keep: false,
      json: false,
      write: false,
    });
  });

  test("takes a list of models, each once", () => {
    expect(readOptions(["--models", "tiny-vit, rn50,rn50"])?.models).toEqual(["tiny-vit", "rn50"]);
  });

  test.each([
    [["--models", "rn51"], /no model "rn51". Did you mean rn50/],
    [["--modles", "rn50"], /no flag --modles. Did you mean --models/],
    [["--folder", "mine", "--write"], /--folder checks one checkpoint by itself/],
    [["--device", "gpu"], /no device "gpu"; there are cpu, cuda, webgpu, auto/],
    [["rn50"], /rn50/],
  ])("says what is wrong: %p", (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });

  test("asks for help", () => {
    expect(readOptions(["--help"])).toBeUndefined();
  });
});
