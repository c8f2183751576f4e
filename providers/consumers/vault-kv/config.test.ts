import { describe, expect, test } from "vitest";
import { policyOf } from "../../systems/vault/rights.ts";
import { configSchema, fieldsOf } from "./config.ts";
import { vaultKv } from "./definition.ts";
import { rightsFor } from "./rights.ts";
import { markIn, markKeyOf, readMark, rivalOf, writtenMark } from "./mark.ts";

const config = { path: "apps/orders", keys: { user: "username", password: "password", again: "password" } };
const connection = { address: "https://vault.example.com:8200", paths: { shop: ["secret/apps/", "kv/one"] } };
const parses = (change: object) => configSchema.safeParse({ ...config, ...change }).success;
const connects = (change: object) =>
  vaultKv.connectionKind?.connectionSchema.safeParse({ ...connection, ...change }).success;

describe("a registration", () => {
  test("names a secret by parts that stay what they are in a URL and in a policy", () => {
    expect(parses({})).toBe(true);
    expect(parses({ mount: "teams/shop", path: "a.b/c_d/~e-f" })).toBe(true);
    for (const path of ["", "/a", "a/", "a//b", "a/../b", ".", "a b", "a?version=1", "a%2Fb", "a*", "a+", "é"])
      expect(parses({ path }), path).toBe(false);
    for (const mount of ["", "a/..", "secret/"]) expect(parses({ mount }), mount).toBe(false);
  });

  test("has at least one key, and none that is rekey's own", () => {
    for (const keys of [{}, { "": "password" }, { rekey_con_x: "password" }, { key: "" }])
      expect(parses({ keys })).toBe(false);
  });

  test("needs each field once", () => {
    expect(fieldsOf(config)).toEqual(["username", "password"]);
  });

  test("needs the least rights on its path and no others", () => {
    expect(policyOf(rightsFor(config))).toBe(
      'path "secret/data/apps/orders" {\n  capabilities = ["read", "patch"]\n}\n',
    );
  });
});

describe("a connection", () => {
  test("leads to an address over TLS and to nothing else", () => {
    expect(connects({})).toBe(true);
    expect(connects({ namespace: "admin/shop", approle: { roleId: "x" } })).toBe(true);
    for (const address of ["http://vault.example.com", "https://u:p@vault.example.com", "https://vault.example.com/v1"])
      expect(connects({ address }), address).toBe(false);
    expect(connects({ ca: "no certificate" })).toBe(false);
    expect(connects({ approle: { roleId: "x", secretId: "y" } })).toBe(false);
    expect(connects({ paths: { shop: [] } })).toBe(false);
    expect(connects({ paths: { shop: ["secret/*"] } })).toBe(false);
  });

  test("lets a team use what it lists, by whole parts", () => {
    const refusal = (team: string, mount: string, path: string) =>
      vaultKv.refuses?.(connection, { ...config, mount, path }, team);
    expect(refusal("shop", "secret", "apps/orders")).toBeUndefined();
    expect(refusal("shop", "kv", "one")).toBeUndefined();
    for (const [mount, path] of [
      ["secret", "apps"],
      ["secret", "apps-of-others/orders"],
      ["kv", "one/more"],
      ["kv", "ones"],
    ] as const)
      expect(refusal("shop", mount, path)).toContain("only secret/apps/, kv/one");
    expect(refusal("billing", "secret", "apps/orders")).toContain("no path");
  });

  test("to one secret makes one target, whatever the rest of it says", () => {
    const target = vaultKv.targetOf(config, { ...connection, ca: "another" });
    expect(target).toBe("vault-kv:vault.example.com:8200/secret/apps/orders");
    expect(vaultKv.targetOf({ ...config, mount: "secret" }, connection)).toBe(target);
    expect(vaultKv.targetOf(config, { ...connection, namespace: "admin" })).not.toBe(target);
  });
});

describe("our mark", () => {
  const mark = { number: { epoch: 2, number: 7 }, version: 5, keys: ["user", "a,b c"] };

  test("is read back as it was written, and is anything else than ours where it cannot be", () => {
    expect(readMark(writtenMark(mark))).toEqual(mark);
    for (const held of [undefined, 3, "", "2.7", "2.7 5", "2.x 5 user", "2.7 5 %E0%A4%A", "2.7 5 user more"])
      expect(readMark(held)).toBeUndefined();
  });

  test("of each registration is its own, and names who else delivers a key", () => {
    const data = { [markKeyOf("con_a")]: writtenMark(mark), [markKeyOf("con_b")]: "not ours" };
    expect(markIn(data, "con_a")).toEqual(mark);
    expect(markIn(data, "con_b")).toBeUndefined();
    expect(rivalOf(data, ["user"], "con_a")).toBeUndefined();
    expect(rivalOf(data, ["user"], "con_c")).toEqual({ key: "user", mark: "rekey_con_a" });
    expect(rivalOf(data, ["password"], "con_c")).toBeUndefined();
  });
});
