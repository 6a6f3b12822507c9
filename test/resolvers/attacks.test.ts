import { beforeAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { attacks } from "../../src/engine/attacks/index.ts";
import { startTestServer, type TestServer } from "../app/server.ts";

const PREVIEW = `query ($kind: AttackKind!, $parameters: ParameterValues, $size: Int) {
  previewAttack(kind: $kind, parameters: $parameters, size: $size, image: { assetId: "asset_boat" }) {
    clean triggered difference psnr
  }
}`;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});

const pixelsOf = (url: string) =>
  sharp(Buffer.from(url.replace("data:image/png;base64,", ""), "base64"))
    .raw()
    .toBuffer({ resolveWithObject: true });

describe("the attacks", () => {
  test("are listed with their papers, ranges and defaults", async () => {
    const { data } = await server.ask(`{ attacks {
      kind paper fitted hasWord
      parameters { name default minimum maximum whole choices }
      fitParameters { name }
    } }`);
    expect(data.attacks.map(({ kind }: { kind: string }) => kind.toLowerCase())).toEqual(
      Object.keys(attacks),
    );
    const of = (kind: string) => data.attacks.find((attack: { kind: string }) => attack.kind === kind);
    expect(of("SIG")).toMatchObject({ paper: expect.stringContaining("arXiv:1902.11237"), fitted: false });
    expect(of("SIG").parameters[1]).toEqual({
      name: "frequency",
      default: "6",
      minimum: 0,
      maximum: 112,
      whole: false,
      choices: null,
    });
    expect(of("TROJVQA")).toMatchObject({ fitted: true, hasWord: true });
    expect(of("TROJVQA").parameters[1]).toMatchObject({
      name: "word",

      default: "consider",
      maximum: 40,
    });
    expect(of("BADCLIP").fitParameters).toContainEqual({ name: "tripletWeight" });
    expect(of("BLENDED").parameters[1].choices).toContain("stripes");
  });

  test("can be looked at without leave to poison: the image, the trigger on it, and the difference", async () => {
    const { data } = await server.ask(PREVIEW, {
      kind: "BADNET",
      parameters: { pattern: "solid" },
      size: 32,
    });
    const [clean, triggered, difference] = await Promise.all(
      ["clean", "triggered", "difference"].map((name) => pixelsOf(data.previewAttack[name])),
    );
    expect(clean!.info).toMatchObject({ width: 32, height: 32, channels: 3 });
    // The patch of three pixels in the corner is white; elsewhere nothing changed, which is shown grey.
    const changed = Array.from({ length: 32 * 32 }, (_, place) => place).filter((place) =>
      [0, 1, 2].some((channel) => triggered!.data[3 * place + channel] !== clean!.data[3 * place + channel]),
    );
    expect(changed.every((place) => place % 32 >= 29 && place >= 29 * 32)).toBe(true);
    expect(changed.length).toBeGreaterThan(0);
    expect(triggered!.data.at(-1)).toBe(255);
    expect(difference!.data[0]).toBe(128);
    expect(difference!.data.at(-1)).toBeGreaterThan(128);
    expect(data.previewAttack.psnr).toBeGreaterThan(10);
  });

  test.each([
    [
      { kind: "SIG", parameters: { amplitude: 3 } },
      "VALIDATION_FAILED",
      "amplitude must be a number from 0 to 1",
    ],
    [{ kind: "SIG", size: 4 }, "VALIDATION_FAILED", "size must be a whole number from 8 to 448"],
    [{ kind: "SSBA" }, "TRIGGER_NOT_FITTED", "found by a fit"],
  ])("are not shown for %p", async (variables, code, message) => {
    const { errors } = await server.ask(PREVIEW, variables);
    expect(errors?.[0]).toMatchObject({ extensions: { code }, message: expect.stringContaining(message) });
  });
});
