import { beforeEach, describe, expect, test } from "@jest/globals";
import { AccessService } from "../../src/services/access.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let store: LmdbStore;
let access: AccessService;

beforeEach(async () => {
  store = await LmdbStore.open(temporaryFolder());
  access = new AccessService(store);
  await access.createTenant("acme");
});

const bearer = (key: string | undefined) => `Bearer ${key}`;
const refused = { code: "UNAUTHENTICATED" };

describe("a key", () => {
  test("is 256 random bits, and the store has only its hash", async () => {
    const { secret } = await access.createKey("acme", "app", ["classify"]);
    expect(Buffer.from(secret.replace(/^antidote_/, ""), "base64url")).toHaveLength(32);
    const everything = JSON.stringify(await store.list(""));
    expect(everything).toContain('"acme"');
    expect(everything).not.toContain(secret.slice(10));
  });

  test("tells whose it is and what it may do", async () => {
    const { secret, record } = await access.createKey("acme", "app", ["classify", "classify"]);
    expect(await access.authenticate(bearer(secret))).toEqual({
      tenant: "acme",
      keyId: record.id,
      keyName: "app",
      scopes: ["classify"],
    });
  });

  test("is refused once it is revoked, in the words for an unknown one", async () => {
    const { secret, record } = await access.createKey("acme", "app", ["classify"]);
    const { revokedAt } = await access.revokeKey(record.id);
    expect((await access.revokeKey(record.id)).revokedAt).toBe(revokedAt);
    const words = async (key: string) => access.authenticate(bearer(key)).catch(({ message }) => message);
    expect(await words(secret)).toBe(await words("nobody"));
    await expect(access.authenticate(bearer(secret))).rejects.toMatchObject(refused);
  });

  test("is not made for a tenant that does not exist", async () => {
    await expect(access.createKey("nobody", "app", [])).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(access.createKey("../acme", "app", [])).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("the first admin key", () => {
  test("is told at the very first start only", async () => {
    const secret = await access.ensureAdminKey("acme", undefined);
    expect((await access.authenticate(bearer(secret))).scopes).toContain("admin");
    expect(await access.ensureAdminKey("acme", undefined)).toBeUndefined();
    await expect(access.authenticate(bearer(secret))).resolves.toMatchObject({ tenant: "acme" });
  });

  test("of the environment is never told, and another one replaces it", async () => {
    expect(await access.ensureAdminKey("acme", "first-secret")).toBeUndefined();
    await access.ensureAdminKey("acme", "first-secret");
    await access.authenticate(bearer("first-secret"));
    await access.ensureAdminKey("acme", "second-secret");
    await access.authenticate(bearer("second-secret"));
    await expect(access.authenticate(bearer("first-secret"))).rejects.toMatchObject(refused);
  });

  test("stays revoked at the next start", async () => {
    await access.ensureAdminKey("acme", "a-secret");
    await access.revokeKey("first");
    await access.ensureAdminKey("acme", "a-secret");
    await expect(access.authenticate(bearer("a-secret"))).rejects.toMatchObject(refused);
  });
});

test("two tenants cannot have one name, nor one that is not a name", async () => {
  await expect(access.createTenant("acme")).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  for (const name of ["", "a/b", "..", "a b", "x".repeat(65)])
    await expect(access.createTenant(name)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
});
