import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { WebhookPost } from "../../../src/services/webhooks/post.ts";
import { isPrivateAddress } from "../../../src/services/webhooks/private-addresses.ts";
import {
  checkWebhookSecret,
  newWebhookSecret,
  signedHeaders,
} from "../../../src/services/webhooks/signature.ts";
import { Receiver } from "./receiver.ts";

const open = new WebhookPost(new Set());
const refused = { code: "VALIDATION_FAILED" };

describe("an address", () => {
  test.each([
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
  ])("%s is private", (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });

  test.each(["8.8.8.8", "172.15.255.255", "172.32.0.1", "192.167.1.1", "100.128.0.1", "2606:4700::1111"])(
    "%s is public",
    (address) => {
      expect(isPrivateAddress(address)).toBe(false);
    },
  );
});

describe("a webhook's URL", () => {
  test.each([
    "nonsense",
    "/relative",
    "ftp://example.com/",
    "http://example.com/",
    "https://user:password@example.com/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    `https://example.com/${"x".repeat(2000)}`,
  ])("%s is refused", (url) => {
    expect(() => open.check(url)).toThrow(expect.objectContaining(refused));
  });

  test("may be any with TLS and a name, and one that the operator allows", () => {
    expect(open.check("https://example.com:8443/hook?x=1").hostname).toBe("example.com");
    const allowing = new WebhookPost(new Set(["hooks.internal", "::1"]));
    for (const url of ["http://hooks.internal/", "https://hooks.internal/", "http://[::1]:80/"])
      allowing.check(url);
    expect(() => allowing.check("http://other.internal/")).toThrow();
  });
});

describe("a new webhook's URL", () => {
  const standingFor = (addresses: readonly string[], allowed: readonly string[] = []) =>
    new WebhookPost(new Set(allowed), 1000, async () => addresses);

  test.each([
    "https://localhost:9999",
    "https://app.localhost/",
    "https://LOCALHOST./",
    "https://127.0.0.1/",
  ])("%s is refused, whatever a resolver says", async (url) => {
    await expect(standingFor(["93.184.215.14"]).admit(url)).rejects.toMatchObject(refused);
  });

  test("is refused where its name stands for private addresses alone", async () => {
    const url = "https://hooks.example/";
    const attempt = standingFor(["10.0.0.7", "fd00::7"]).admit(url);
    await expect(attempt).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("WEBHOOK_HOSTS"),
    });
    await standingFor(["10.0.0.7", "93.184.215.14"]).admit(url);
    await standingFor(["10.0.0.7"], ["hooks.example"]).admit(url);
    await standingFor([], ["localhost"]).admit("http://localhost:9999");
  });

  test("may have a name that stands for nothing yet, or that nobody resolves in time", async () => {
    const url = "https://hooks.example/";
    await standingFor([]).admit(url);
    const failing = async () => Promise.reject(new Error("ENOTFOUND"));
    await new WebhookPost(new Set(), 1000, failing).admit(url);
    await new WebhookPost(new Set(), 1000, () => new Promise(() => {})).admit(url);
  });

  test("without TLS is refused with the setting that allows it, where one does", () => {
    const message = (url: string) => {
      try {
        return open.check(url) && "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(message("http://localhost:9999")).toContain("WEBHOOK_HOSTS");
    expect(message("ftp://example.com/")).not.toContain("WEBHOOK_HOSTS");
  });
});

describe("what is sent", () => {
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(() => receiver.close());

  const allowing = new WebhookPost(new Set(["127.0.0.1", "localhost"]));

  test("arrives as it is, and the status comes back", async () => {
    receiver.status = 202;
    expect(await allowing.send(receiver.url, { "webhook-id": "m" }, '{"ä":1}')).toBe(202);
    expect(receiver.received).toEqual([
      {
        path: "/hook",
        body: '{"ä":1}',
        headers: expect.objectContaining({ "webhook-id": "m", "content-type": "application/json" }),
      },
    ]);
  });

  test("does not follow a redirect", async () => {
    receiver.status = 307;
    receiver.headers = { location: "/elsewhere" };
    expect(await allowing.send(receiver.url, {}, "{}")).toBe(307);
    expect(receiver.received).toHaveLength(1);
  });

  test("never reaches a private address that a name stands for at that moment", async () => {
    const byName = `https://localhost:${receiver.port}/`;
    expect(open.check(byName).hostname).toBe("localhost");
    await expect(open.send(byName, {}, "{}")).rejects.toMatchObject(refused);
    expect(await allowing.send(`http://localhost:${receiver.port}/`, {}, "{}")).toBe(204);
    expect(receiver.received).toHaveLength(1);
  });

  test("waits for no answer for ever", async () => {
    receiver.silent = true;
    const impatient = new WebhookPost(new Set(["127.0.0.1"]), 300);
    await expect(impatient.send(receiver.url, {}, "{}")).rejects.toMatchObject({ name: /Abort|Timeout/ });
  });
});

describe("the signature", () => {
  test("is that of Standard Webhooks", () => {
    const at = new Date(1614265330_000);
    const headers = signedHeaders(
      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      at,
      '{"test": 2432232314}',
    );
    expect(headers).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("has a secret of 24 to 64 bytes", () => {
    expect(checkWebhookSecret(newWebhookSecret())).toMatch(/^whsec_.{44}$/);
    const ofBytes = (count: number) => `whsec_${Buffer.alloc(count, 7).toString("base64")}`;
    for (const count of [24, 25, 64]) expect(checkWebhookSecret(ofBytes(count))).toBe(ofBytes(count));
    for (const secret of [ofBytes(23), ofBytes(65), "whsec_", "secret", `${ofBytes(24)}!`])
      expect(() => checkWebhookSecret(secret)).toThrow(expect.objectContaining(refused));
  });
});
