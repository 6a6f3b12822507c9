import { readdirSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { withS3 } from "../support/s3-server.ts";
import { antidote } from "./program.ts";

const s3 = withS3();

test("a storage that does everything passes every step, and nothing stays in it", async () => {
  const { code, out, err } = await antidote(["check-storage"], s3().variables);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.match(/^works {3}/gm)).toHaveLength(8);
  expect(out).toMatch(/The storage does what is asked of it\.\n$/);
  const left = readdirSync(s3().path("."), { recursive: true, withFileTypes: true });
  expect(left.filter((entry) => entry.isFile())).toEqual([]);
  expect(s3().uploads.size).toBe(0);
});

test("a step that fails is named with the storage's answer, and the others are tried", async () => {
  s3().failsLate = true;
  s3().mishapOf = (request) => (request.startsWith("GET ?uploads=") ? "refused" : undefined);
  const { code, out } = await antidote(["check-storage"], s3().variables);
  s3().mishapOf = () => undefined;
  expect(code).toBe(1);
  expect(out).toMatch(/^FAILED {2}lists unfinished uploads.*: The object storage cannot be reached/m);
  expect(out.match(/^works {3}/gm)).toHaveLength(7);
  expect(out).toMatch(/1 of the steps failed\.\n$/);
});

test("a key that is refused, and no bucket at all, are said in one sentence", async () => {
  const wrong = await antidote(["check-storage"], { ...s3().variables, S3_SECRET_ACCESS_KEY: "wrong" });
  expect(wrong).toMatchObject({ code: 1, out: "" });
  expect(wrong.err).toMatch(/cannot be written to\..*403 SignatureDoesNotMatch/);
  const none = await antidote(["check-storage"]);
  expect(none).toMatchObject({ code: 1, out: "" });
  expect(none.err).toMatch(/Without S3_BUCKET the files are in the folders DATA_DIR and MODELS_DIR/);
});
