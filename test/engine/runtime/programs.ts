import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";

/** "x" [2, 3] to "sum" = x + 1 and "product" = 2 · x. */
export function twoOutputs(): Program {
  const g = new GraphBuilder({ name: "two outputs" });
  const x = g.input("x", [2, 3]);
  g.output(g.add(x, 1), "sum");
  g.output(g.mul(x, 2), "product");
  return { graph: g.build(), folder: "." };
}

/** "x" [N, 3] to "y" [N, 2] = x · w, where w lies at an odd offset of a file in `folder`. */
export function fileWeight(folder: string): Program {
  const weight = new Float32Array([1, 10, 2, 20, 3, 30]);
  writeFileSync(
    join(folder, "weights.bin"),
    Buffer.concat([Buffer.from("abcde"), Buffer.from(weight.buffer)]),
  );
  const g = new GraphBuilder({ name: "file weight" });
  const x = g.input("x", [1, 3]);
  const storage = { kind: "file", file: "weights.bin", offset: 5, length: 24 } as const;
  g.output(g.matmul(x, g.initializer("w", "float32", [3, 2], storage)), "y");
  return { graph: g.build(), folder, dynamicBatch: "x" };
}
