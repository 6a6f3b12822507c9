import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { readArguments } from "../../src/commands/arguments.ts";
import type { Command } from "../../src/commands/command.ts";
import { didYouMean, editDistance } from "../../src/commands/did-you-mean.ts";
import { antidote } from "./program.ts";

const { version, bin } = JSON.parse(readFileSync(join(__dirname, "../../package.json"), "utf8"));

describe("the program", () => {
  test("says what it can do, and its version", async () => {
    const [help, short, number] = await Promise.all([
      antidote(["--help"]),
      antidote(["serve", "-h"]),
      antidote(["--version"]),
    ]);
    expect(help).toMatchObject({ code: 0, err: "" });
    expect(help.out).toMatch(/^ {2}serve +Starts the server/m);
    expect(short.out).toContain("Usage: antidote serve [FLAGS]");
    expect(number.out).toBe(`${version}\n`);
  });

  test.each([
    [["serv"], 'There is no command "serv". Did you mean serve?'],
    [["constructor"], 'There is no command "constructor".'],
    [["serve", "--prot", "80"], "There is no flag --prot."],
    [["serve", "here"], '"here" is one argument too many'],
  ])("%j is refused with exit code 2", async (args, message) => {
    const { code, out, err } = await antidote(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
    expect(err).toContain("--help");
  });

  test("serves where no command is named: its settings are checked", async () => {
    const { code, err } = await antidote([], { PORT: "http" });
    expect(code).toBe(1);
    expect(err).toContain("PORT");
  });

  test("is what package.json installs", () => {
    const main = readFileSync(join(__dirname, "../..", bin.antidote), "utf8");
    expect(main).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});

describe("arguments", () => {
  const command: Command = {
    summary: "A command of this test.",
    positionals: ["SOURCE"],
    flags: { name: { help: "A name.", value: "NAME", short: "n" }, force: { help: "Do it." } },
    notes: "",
    load: () => Promise.reject(new Error("not run")),
  };
  const read = (...args: string[]) => readArguments("test", command, args);

  test("are flags anywhere and positionals in order", () => {
    const { positionals, value, has } = read("--force", "here", "-n", "one");
    expect(positionals).toEqual(["here"]);
    expect([value("name"), has("force"), has("help")]).toEqual(["one", true, false]);
  });

  test.each([
    [[], "It needs SOURCE"],
    [["a", "b"], '"b" is one argument too many'],
    [["a", "--nmae", "x"], "Did you mean --name?"],
    [["a", "--name"], "argument missing"],
    [["a", "--force=1"], "does not take an argument"],
  ])("%j say what is wrong", (args, message) => {
    expect(() => read(...args)).toThrow(
      expect.objectContaining({ code: "BAD_USER_INPUT", message: expect.stringContaining(message) }),
    );
  });
});

describe("a guess", () => {
  test("is the nearest word, and none where none is near", () => {
    expect(didYouMean("improt", ["serve", "import"])).toBe(" Did you mean import?");
    expect(didYouMean("xyzzy", ["serve", "import"])).toBe("");
  });

  test.each([
    ["", "abc", 3],
    ["kitten", "sitting", 3],
    ["same", "same", 0],
  ])("from %j to %j are %d edits", (from, to, distance) => expect(editDistance(from, to)).toBe(distance));
});
