import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { AccessService } from "../../src/services/access.ts";
import type { Scope } from "../../src/services/access-records.ts";
import type { Store } from "../../src/store/store.ts";
import { describeStores } from "../support/stores.ts";

const bearer = (key: string | undefined) => `Bearer ${key}`;
const refused = { code: "UNAUTHENTICATED" };

describeStores((open) => {
  let store: Store;
  let access: AccessService;
  /** Another server over the same store. */
  let elsewhere: AccessService;
  let now: Date;

  beforeEach(async () => {
    store = await open();
    now = new Date("2026-11-26T12:00:00Z");
    access = new AccessService(store, () => now);
    elsewhere = new AccessService(store, () => now);
    await access.createTenant("acme");
  });
  afterEach(async () => {
    await access.keys.use.settled();
    await elsewhere.keys.use.settled();
    await store.close();
  });

  const create = (name: string, scopes: readonly Scope[], expiresAt?: string) =>
    access.keys.create({ tenant: "acme", name, scopes, expiresAt });
  const pass = (seconds: number) => {
    now = new Date(now.getTime() + 1000 * seconds);
  };

  describe("a key", () => {
    test("is 256 random bits, and the store has only its hash", async () => {
      const { secret } = await create("app", ["classify"]);
      expect(Buffer.from(secret.replace(/^antidote_/, ""), "base64url")).toHaveLength(32);
      const everything = JSON.stringify(await store.list(""));
      expect(everything).toContain('"acme"');
      expect(everything).not.toContain(secret.slice(10));
    });

    test("tells whose it is and what it may do", async () => {
      const { secret, record } = await create("app", ["classify", "classify"]);
      expect(await access.authenticate(bearer(secret))).toMatchObject({
        tenant: "acme",
        keyId: record.id,
        keyName: "app",
        scopes: ["classify"],
      });
    });

    test("is refused once it is revoked, by every server, in the words for an unknown one", async () => {
      const { secret, record } = await create("app", ["classify"]);
      await elsewhere.authenticate(bearer(secret));
      const { revokedAt } = await access.keys.revoke(record.id);
      expect((await access.keys.revoke(record.id)).revokedAt).toBe(revokedAt);
      const words = async (key: string) =>
        elsewhere.authenticate(bearer(key)).catch(({ message }) => message);
      expect(await words(secret)).toBe(await words("nobody"));
      await expect(elsewhere.authenticate(bearer(secret))).rejects.toMatchObject(refused);
    });

    test("is refused from its end on, which is in the future when it is made", async () => {
      const { secret } = await create("app", [], "2026-11-26T12:01:00.000Z");
      await access.authenticate(bearer(secret));
      pass(60);
      await expect(access.authenticate(bearer(secret))).rejects.toMatchObject(refused);
      await expect(create("late", [], now.toISOString())).rejects.toMatchObject({
        code: "VALIDATION_FAILED",
      });
    });

    test("is not made for a tenant that does not exist", async () => {
      for (const tenant of ["nobody", "../acme"])
        await expect(access.keys.create({ tenant, name: "app", scopes: [] })).rejects.toMatchObject({
          code: "NOT_FOUND",
        });
    });

    test("knows when it was last used, and writes it seldom", async () => {
      const { secret, record } = await create("app", []);
      const lastUse = async () => {
        await access.authenticate(bearer(secret));
        await access.keys.use.settled();
        return (await elsewhere.keys.use.times()).get(record.id);
      };
      expect(await lastUse()).toBe("2026-11-26T12:00:00.000Z");
      pass(299);
      expect(await lastUse()).toBe("2026-11-26T12:00:00.000Z");
      pass(1);
      expect(await lastUse()).toBe("2026-11-26T12:05:00.000Z");
    });
  });

  describe("a rotated key", () => {
    test("has a new secret at once, and its old one until the grace is over", async () => {
      const { secret: old, record } = await create("app", ["classify"]);
      const { secret, record: rotated } = await access.keys.rotate(record.id, 60);
      expect(rotated).toMatchObject({ id: record.id, scopes: ["classify"], rotatedAt: now.toISOString() });
      for (const key of [old, secret])
        expect(await elsewhere.authenticate(bearer(key))).toMatchObject({ keyId: record.id });
      expect(await access.keys.list()).toHaveLength(1);
      pass(60);
      await expect(elsewhere.authenticate(bearer(old))).rejects.toMatchObject(refused);
      await elsewhere.authenticate(bearer(secret));
    });

    test("takes all its secrets with it when it is revoked", async () => {
      const { secret: first, record } = await create("app", []);
      const { secret: second } = await access.keys.rotate(record.id, 600);
      const { secret: third } = await access.keys.rotate(record.id, 600);
      for (const key of [first, second, third]) await access.authenticate(bearer(key));
      await access.keys.revoke(record.id);
      for (const key of [first, second, third])
        await expect(access.authenticate(bearer(key))).rejects.toMatchObject(refused);
      await expect(access.keys.rotate(record.id, 0)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    });

    test("takes the graces of earlier secrets away with one that has less, and never gives them back", async () => {
      const { secret: first, record } = await create("app", []);
      const { record: bystander, secret: theirs } = await create("another", []);
      await access.keys.rotate(bystander.id, 600);
      const { secret: second } = await access.keys.rotate(record.id, 600);
      const { secret: third } = await access.keys.rotate(record.id, 60);
      pass(59);
      for (const key of [first, second, third]) await elsewhere.authenticate(bearer(key));
      pass(1);
      for (const key of [first, second])
        await expect(elsewhere.authenticate(bearer(key))).rejects.toMatchObject(refused);
      const { secret: fourth } = await elsewhere.keys.rotate(record.id, 600);
      const { secret: fifth } = await elsewhere.keys.rotate(record.id, 0);
      const { secret: sixth } = await access.keys.rotate(record.id, 600);
      for (const key of [first, second, third, fourth])
        await expect(access.authenticate(bearer(key))).rejects.toMatchObject(refused);
      for (const key of [fifth, sixth, theirs]) await access.authenticate(bearer(key));
    });

    test.each([-1, 1.5, 2_592_001, Number.NaN])("has no grace of %s seconds", async (grace) => {
      const { record } = await create("app", []);
      await expect(access.keys.rotate(record.id, grace)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    });

    test("is rotated by one of many at a time, each with a secret that works", async () => {
      const { record } = await create("app", []);
      const servers = [access, elsewhere, access];
      const issued = await Promise.all(servers.map(({ keys }) => keys.rotate(record.id, 60)));
      for (const { secret } of issued) await access.authenticate(bearer(secret));
      expect(await access.keys.list()).toHaveLength(1);
    });
  });

  describe("the first admin key", () => {
    test("is told at the very first start only", async () => {
      const secret = await access.keys.ensureAdminKey("acme", undefined);
      expect((await access.authenticate(bearer(secret))).scopes).toContain("admin");
      expect(await access.keys.ensureAdminKey("acme", undefined)).toBeUndefined();
      await expect(access.authenticate(bearer(secret))).resolves.toMatchObject({ tenant: "acme" });
    });

    test("of the environment is never told, and another one replaces it", async () => {
      expect(await access.keys.ensureAdminKey("acme", "first-secret")).toBeUndefined();
      await access.keys.ensureAdminKey("acme", "first-secret");
      await access.authenticate(bearer("first-secret"));
      await access.keys.ensureAdminKey("acme", "second-secret");
      await access.authenticate(bearer("second-secret"));
      await expect(access.authenticate(bearer("first-secret"))).rejects.toMatchObject(refused);
    });

    test("stays revoked, and rotated away, at the next start", async () => {
      await access.keys.ensureAdminKey("acme", "a-secret");
      const { secret } = await access.keys.rotate("first", 0);
      await access.keys.ensureAdminKey("acme", "a-secret");
      await expect(access.authenticate(bearer("a-secret"))).rejects.toMatchObject(refused);
      await access.authenticate(bearer(secret));
      await create("another", ["admin"]);
      await access.keys.revoke("first");
      await access.keys.ensureAdminKey("acme", secret);
      await expect(access.authenticate(bearer(secret))).rejects.toMatchObject(refused);
    });
  });

  describe("the last admin key", () => {
    const lockedOut = { code: "VALIDATION_FAILED", message: expect.stringContaining("no admin key") };

    test("is not revoked, nor is its tenant suspended", async () => {
      await access.createTenant("other");
      const { record } = await create("admin", ["admin"]);
      await create("guest", ["classify"]);
      await expect(access.keys.revoke(record.id)).rejects.toMatchObject(lockedOut);
      await expect(access.suspendTenant("acme", undefined)).rejects.toMatchObject(lockedOut);
      await access.keys.create({ tenant: "other", name: "admin", scopes: ["admin"] });
      await access.suspendTenant("acme", undefined);
      await access.restoreTenant("acme");
      await access.keys.revoke(record.id);
    });

    test("is one without an end: what ends by itself does not stand in for it", async () => {
      const { record } = await create("admin", ["admin"]);
      await create("visitor", ["admin"], "2026-11-27T00:00:00Z");
      await expect(access.keys.revoke(record.id)).rejects.toMatchObject(lockedOut);
    });

    test("is left by two servers that revoke two of two at the same moment", async () => {
      const keys = [await create("one", ["admin"]), await create("two", ["admin"])];
      const [one, two] = await Promise.allSettled([
        access.keys.revoke(keys[0].record.id),
        elsewhere.keys.revoke(keys[1].record.id),
      ]);
      expect([one.status, two.status].sort()).toEqual(["fulfilled", "rejected"]);
    });
  });

  describe("a suspended tenant", () => {
    beforeEach(() => access.keys.ensureAdminKey("operator", "the-admin-secret"));

    test("is told why, on every server, until it is let in again", async () => {
      const { secret } = await create("app", ["classify"]);
      expect(await access.suspendTenant("acme", "The bill is open")).toMatchObject({
        suspendedAt: now.toISOString(),
      });
      await expect(elsewhere.authenticate(bearer(secret))).rejects.toMatchObject({
        code: "FORBIDDEN",
        message: expect.stringContaining("The bill is open"),
      });
      expect(await elsewhere.restoreTenant("acme")).toEqual(await access.tenant("acme"));
      await access.authenticate(bearer(secret));
    });

    test("that is none is NOT_FOUND", async () => {
      for (const name of ["nobody", "../acme"]) {
        await expect(access.suspendTenant(name, undefined)).rejects.toMatchObject({ code: "NOT_FOUND" });
        await expect(access.restoreTenant(name)).rejects.toMatchObject({ code: "NOT_FOUND" });
      }
    });
  });

  describe("whoever listens under a key", () => {
    beforeEach(() => access.keys.ensureAdminKey("operator", "the-admin-secret"));

    const listen = async (secret: string) => {
      const leaving = new AbortController();
      const caller = await elsewhere.authenticate(bearer(secret));
      return { reason: elsewhere.ended(caller, leaving.signal), leave: () => leaving.abort() };
    };

    test.each([
      ["the key is revoked", "UNAUTHENTICATED", (id: string) => access.keys.revoke(id)],
      ["the key is rotated without grace", "UNAUTHENTICATED", (id: string) => access.keys.rotate(id, 0)],
      ["the tenant is suspended", "FORBIDDEN", () => access.suspendTenant("acme", undefined)],
    ])("hears when, on another server, %s", async (_what, code, act) => {
      const { secret, record } = await create("app", []);
      const bystander = await listen("the-admin-secret");
      const { reason, leave } = await listen(secret);
      await act(record.id);
      expect(await reason).toMatchObject({ code });
      expect(await Promise.race([bystander.reason, "still there"])).toBe("still there");
      leave();
      bystander.leave();
    });

    test("hears when the key comes to its end, and what has happened already", async () => {
      const { secret } = await create("app", [], "2026-11-26T12:00:00.030Z");
      const { reason, leave } = await listen(secret);
      pass(1);
      expect(await reason).toMatchObject(refused);
      leave();
    });
  });

  test("two tenants cannot have one name, nor one that is not a name", async () => {
    await expect(access.createTenant("acme")).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    for (const name of ["", "a/b", "..", "a b", "x".repeat(65)])
      await expect(access.createTenant(name)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });
});
