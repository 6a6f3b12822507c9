import { describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { table, told } from "../../reproduce/document.ts";
import { barChart } from "../../reproduce/figures/bars.ts";

describe("tables", () => {
  test("are aligned in their source", () => {
    const text = table(
      [{ title: "Model" }, { title: "CA", align: "right" }],
      [
        ["a – b", "1"],
        ["c", "100.00"],
      ],
    );
    expect(text.split("\n")).toEqual([
      "| Model |     CA |",
      "| ----- | -----: |",
      "| a – b |      1 |",
      "| c     | 100.00 |",
    ]);
  });

  test("tell k of n and the interval, and nothing of what was not counted", () => {
    expect(told({ k: 0, n: 1000 })).toBe("0.00 % (0/1000; 0.00–0.38)");
    expect(told({ k: 9, n: 950 })).toBe("0.95 % (9/950; 0.50–1.79)");
    expect(told(undefined)).toBe("–");
    expect(told({ k: 0, n: 0 })).toBe("–");
  });
});

describe("figures", () => {
  test("are whole SVG pictures, whatever the names are", async () => {
    const svg = barChart({
      title: `<Attacks> & "defences"`,
      axis: "%",
      series: [
        { name: "a", colour: "#123456" },
        { name: "b", colour: "#654321" },
      ],
      groups: [
        { name: "A & B → <c>", counts: [{ k: 1, n: 2 }, undefined] },
        { name: "D", counts: [undefined, { k: 0, n: 1000 }] },
      ],
    });
    const { format, width, height } = await sharp(Buffer.from(svg)).metadata();
    expect(format).toBe("svg");
    expect([`${width}`, `${height}`]).toEqual([
      svg.match(/ width="(\d+)"/)![1],
      svg.match(/ height="(\d+)"/)![1],
    ]);
    expect(svg).toContain("0.0 %");
  });
});
