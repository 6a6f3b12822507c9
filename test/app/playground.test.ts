import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { coerceInputValue, getVariableValues, type OperationDefinitionNode, parse, validate } from "graphql";
import { createSchema } from "../../src/resolvers/schema.ts";

interface Tab {
  readonly query: string;
  readonly variables?: string;
}

/** The page's modules are for browsers, so another process reads them. */
function readTabs(): Tab[] {
  const script = `import { tabs } from ${JSON.stringify(join(__dirname, "../../playground/tabs.js"))}; console.log(JSON.stringify(tabs));`;
  return JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }),
  );
}

describe("the playground's tabs", () => {
  const schema = createSchema();

  test.each(readTabs().map((tab) => [tab.query.split("\n")[0], tab] as const))(
    "%s",
    (_title, { query, variables }) => {
      const document = parse(query);
      expect(validate(schema, document)).toEqual([]);
      const [operation] = document.definitions as OperationDefinitionNode[];
      const { errors } = getVariableValues(
        schema,
        operation.variableDefinitions ?? [],
        JSON.parse(variables ?? "{}"),
      );
      expect(errors).toBeUndefined();
    },
  );

  test("have inputs of which exactly one field may be given", () => {
    const through = schema.getType("Through");
    const both = { versionId: "version_1", templates: [] };
    expect(() => coerceInputValue(both, through as Parameters<typeof coerceInputValue>[1])).toThrow(
      /[Ee]xactly one/,
    );
  });
});
