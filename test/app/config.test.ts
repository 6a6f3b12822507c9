import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { readConfig } from "../../src/config.ts";
import { compiled } from "../support/compiled.ts";

describe("the configuration", () => {
  test("has a default for everything", () => {
    const config = readConfig({});
    expect(config).toMatchObject({ port: 4000, device: "auto", jobConcurrency: 1, adminKey: undefined });
    expect(config.modelsFolder).toMatch(/zoo\/models$/);
    expect(config.dataFolder).toMatch(/data$/);
  });

  test("takes an empty variable as absent", () => {
    expect(readConfig({ PORT: "", ADMIN_KEY: "" })).toMatchObject({ port: 4000, adminKey: undefined });
  });

  test("is alone without a Redis, and shares its store with one", () => {
    expect(readConfig({}).redis).toBeUndefined();
    const url = "rediss://user:password@cache:6380/2";
    expect(readConfig({ REDIS_URL: url }).redis).toEqual({ url, prefix: "antidote" });
  });

  test("keeps what nothing needs for a week, or for ever", () => {
    const hours = (text?: string) => readConfig({ BLOB_RETENTION_HOURS: text }).blobRetentionHours;
    expect([hours(), hours("0"), hours("1")]).toEqual([168, 0, 1]);
    expect(() => hours("-1")).toThrow("BLOB_RETENTION_HOURS");
    expect(() => readConfig({ JOB_RESUME_DAYS: "0" })).toThrow("JOB_RESUME_DAYS");
  });

  test("takes hosts as a URL writes them", () => {
    const hosts = (text: string) => readConfig({ WEBHOOK_HOSTS: text }).webhookHosts;
    expect(hosts("")).toEqual([]);
    expect(hosts("Hooks.internal, 10.0.0.7,::1,")).toEqual(["hooks.internal", "10.0.0.7", "::1"]);
    for (const wrong of ["http://a", "a:80", "a/b", "a b", "user@a"])
      expect(() => hosts(wrong)).toThrow("ports");
  });

  test("lists every problem at once, and never shows a key", () => {
    const variables = {
      PORT: "eighty",
      DEVICE: "tpu",
      THREADS: "0",
      MODELS_DIR: "nowhere/at/all",
      ADMIN_KEY: "a b",
      REDIS_URL: "https://user:hidden@cache",
      METRICS_PORT: "65536",
      S3_BUCKET: "bucket",
      S3_SECRET_ACCESS_KEY: "",
    };
    let message = "";
    try {
      readConfig(variables);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.split("\n")[0]).toBe("9 environment variables are not valid:");
    const wrong = [...Object.keys(variables), "S3_ACCESS_KEY_ID"].filter((name) => name !== "S3_BUCKET");
    for (const name of wrong) expect(message).toContain(`  ${name}`);
    expect(message).toContain("must be one of auto, cpu, cuda, webgpu");
    expect(message).not.toContain("a b");
    expect(message).not.toContain("hidden");
  });

  test("stops the program with code 1 and that message, and nothing else", () => {
    const main = fileURLToPath(compiled("src/main"));
    const env = { ...process.env, PORT: "-1", JOB_CONCURRENCY: "many" };
    const { status, stderr, stdout } = spawnSync(process.execPath, [main], { env, encoding: "utf8" });
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toHaveLength(4);
  });
});
