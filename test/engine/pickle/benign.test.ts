import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { isMap, memoryLayout, type PlainMap, type PlainValue } from "../../../src/engine/pickle/index.ts";
import { readPytorchFile } from "../../../src/engine/pickle/pytorch-file.ts";
import { BENIGN, benignFiles, digestOf, expected, tensorsOf } from "./fixtures.ts";

const read = async (file: string): Promise<PlainValue> => (await readPytorchFile(join(BENIGN, file))).root;

/** Checks every tensor's type, shape, layout and values against what PyTorch says. */
function expectTensors(file: string, root: PlainValue, wanted: (typeof expected)["state"]): void {
  const bytes = readFileSync(join(BENIGN, file));
  const tensors = tensorsOf(root);
  const found = Object.entries(tensors).map(([name, tensor]) => [
    name,
    {
      dtype: tensor.dtype,
      shape: tensor.shape,
      layout: memoryLayout(tensor),
      sha256: digestOf(tensor, bytes),
    },
  ]);
  expect(Object.fromEntries(found)).toEqual(wanted);
  expect(new Set(Object.values(tensors).map((tensor) => tensor.file))).toEqual(new Set([file]));
}

describe("what torch.save writes is read as PyTorch reads it", () => {
  const states = benignFiles.filter((file) => /^(zip|legacy|rezipped)/.test(file));

  test.each(states)("the tensors of %s", async (file) => {
    expectTensors(file, await read(file), expected.state);
  });

  test("all protocols of both formats are among them", () => {
    expect(states).toHaveLength(9);
  });

  test.each(["metadata-2.pt", "metadata-3.pt", "metadata-4.pt", "metadata-5.pt"])(
    "the metadata of %s",
    async (file) => {
      expect(Object.fromEntries((await read(file)) as PlainMap)).toEqual({
        epoch: 3,
        name: "tiny é",
        none: null,
        yes: true,
        rate: 1e-3,
        large: 2n ** 62n,
        minus: -7,
        long: 2n ** 100n,
        list: [1, [2, "x"]],
        tuple: [1, 2.5],
        set: [4],
        frozen: [5],
        bytes: Uint8Array.of(0, 255),
        dtype: { kind: "constant", name: "torch.float16" },
        device: "cuda:0",
        size: [2, 3],
        numpy: 0.75,
        numpy_int: 9,
        counter: new Map([[10, 1]]),
        arguments: {
          kind: "record",
          className: "argparse.Namespace",
          fields: new Map<string, PlainValue>([
            ["lr", 0.1],
            ["betas", [0.9, 0.98]],
          ]),
        },
        5: "five",
      });
    },
  );

  test("a nested checkpoint of a training run", async () => {
    const root = (await read("nested.pt")) as PlainMap;
    expect([...root.keys()]).toEqual(["epoch", "state_dict", "optimizer"]);
    const prefixed = Object.entries(expected.state).map(([name, value]) => [`module.${name}`, value]);
    expectTensors("nested.pt", root.get("state_dict")!, Object.fromEntries(prefixed));
  });

  test("a module's state_dict, whose attribute of versions is left out", async () => {
    const root = (await read("module.bin")) as PlainMap;
    const model = root.get("model")!;
    expect(isMap(model) && [...model.keys()]).toEqual(["weight", "bias"]);
    expectTensors("module.bin", model, expected.module);
  });
});

describe("a TorchScript archive", () => {
  test("is a tree of inert records with the module's tensors", async () => {
    const { format, root } = await readPytorchFile(join(BENIGN, "scripted.pt"));
    expect(format).toBe("torchscript");
    expect(root).toMatchObject({ kind: "record", className: expect.stringMatching(/^__torch__\..*Whole$/) });
    expectTensors("scripted.pt", root, expected.scripted);
  });
});

test.each([
  ["zip-2.pt", "zip"],
  ["legacy-2.pt", "legacy"],
])("the format of %s is %s", async (file, format) => {
  expect((await readPytorchFile(join(BENIGN, file))).format).toBe(format);
});

test("views of one storage share its bytes", async () => {
  const tensors = tensorsOf(await read("zip-2.pt"));
  expect(tensors.shared_row).toMatchObject({ offset: tensors.shared.offset + 16, length: 16, strides: [1] });
  expect(tensors.column).toMatchObject({ offset: tensors.shared.offset + 4, length: 36, strides: [4] });
  expect(tensors.empty).toMatchObject({ length: 0, shape: [0, 3] });
});
