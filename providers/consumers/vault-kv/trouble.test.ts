import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { RekeyError } from "../../../domain/errors.ts";
import { policyOnPage } from "../../../test/conformance/vault/page-policies.ts";
import { roleAsOnPage } from "../../../test/conformance/vault/page-role.ts";
import { newConsumer } from "../../../test/harness/kubernetes-secret.ts";
import { proxyHttp, type HttpCall } from "../../../test/harness/proxy/http.ts";
import { contextFor, openKv, type OpenKvHow } from "../../../test/harness/vault-kv.ts";
import { withVault } from "../../../test/harness/with-vault.ts";
import type { Delivery } from "../../contract/consumer.ts";
import { Secret } from "../../contract/secret.ts";
import { policyOf } from "../../systems/vault/rights.ts";
import { vaultKv } from "./definition.ts";
import { rightsFor } from "./rights.ts";

const vault = withVault();
const freshText = () => randomBytes(18).toString("base64url");
const delivery = (number: number, text = freshText(), expected?: string): Delivery => ({
  version: number,
  number: { epoch: 1, number },
  value: { username: "orders_a", password: new Secret(text) },
  ...(expected === undefined ? {} : { expected }),
});
const isWrite = ({ method }: HttpCall) => method === "PATCH";
const merge = { contentType: "application/merge-patch+json" };

/** A secret, and a login with the least rights. */
async function place(mountOptions?: Readonly<Record<string, string>>) {
  const mount = await vault().mountKv(mountOptions);
  const config = { mount, path: "apps/orders", keys: { DB_PASSWORD: "password" } };
  const isOld = mountOptions !== undefined && mountOptions["version"] !== "2";
  const path = isOld ? `${mount}/apps/orders` : `${mount}/data/apps/orders`;
  await vault().must("POST", path, isOld ? { MODE: "live" } : { data: { MODE: "live" } });
  const secret = await vault().tokenWith(policyOf(rightsFor(config)));
  const open = (how: Partial<OpenKvHow> = {}) => openKv(vault(), { config, secret, ...how });
  return {
    mount,
    path,
    config,
    secret,
    open,
    async data() {
      const { data } = (await vault().must("GET", path)) as {
        readonly data: { readonly data: Record<string, unknown> };
      };
      return data.data;
    },
    /** As another writer. */
    write: (data: object) => vault().must("PATCH", path, { data }, merge),
    async proxied() {
      const proxy = await proxyHttp(vault().address, vault());
      onTestFinished(() => proxy.close());
      return { proxy, session: await open({ address: proxy.url }) };
    },
  };
}

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it must fail with an error of ours", { cause: error });
}

describe("a Vault in trouble", () => {
  test("that is sealed is waited for, and the delivery goes through when it is unsealed", async () => {
    const { open, data } = await place();
    const session = await open();
    const before = await session.observe();
    await vault().seal();
    try {
      for (const work of [() => session.observe(), () => session.deliver(delivery(1)), () => session.preflight()])
        expect(await failing(work())).toMatchObject({ name: "TransientError", code: "system_sealed" });
    } finally {
      await vault().unseal();
    }
    const text = freshText();
    await session.deliver(delivery(1, text, before.digest));
    expect((await data())["DB_PASSWORD"]).toBe(text);
  });

  test("that asks for fewer calls is named so", async () => {
    const { mount, open } = await place();
    const session = await open();
    await session.observe();
    await vault().must("POST", `sys/quotas/rate-limit/${mount}`, { rate: 0.01, interval: "1m", path: `${mount}/` });
    const look = async () => {
      for (;;) await session.observe();
    };
    expect(await failing(look())).toMatchObject({ name: "TransientError", code: "system_throttled" });
    await vault().must("DELETE", `sys/quotas/rate-limit/${mount}`);
  });

  test("that takes nothing of this size is said so", async () => {
    const { proxied, data } = await place();
    const { proxy, session } = await proxied();
    void proxy.meet(isWrite, { do: "answer", status: 413 });
    expect(await failing(session.deliver(delivery(1)))).toMatchObject({ code: "target_full" });
    expect(await data()).toEqual({ MODE: "live" });
  });

  test("whose patch is sent twice by the network has one delivery", async () => {
    const { proxied, data, mount } = await place();
    const { proxy, session } = await proxied();
    void proxy.meet(isWrite, { do: "send-twice" });
    const text = freshText();
    await session.deliver(delivery(1, text));
    expect((await data())["DB_PASSWORD"]).toBe(text);
    const { data: of } = (await vault().must("GET", `${mount}/metadata/apps/orders`)) as {
      readonly data: { readonly current_version: number };
    };
    expect(of.current_version).toBe(2);
  });
});

describe("the login", () => {
  async function role(more: object = {}) {
    const there = await place();
    const method = `approle-${randomBytes(3).toString("hex")}`;
    await vault().must("POST", `sys/auth/${method}`, { type: "approle" });
    await vault().must("PUT", `sys/policies/acl/${method}`, { policy: policyOf(rightsFor(there.config)) });
    await vault().must("POST", `auth/${method}/role/rekey`, { token_policies: [method], token_ttl: "1h", ...more });
    const read = async (verb: string, what: string) =>
      (
        (await vault().must(verb, `auth/${method}/role/rekey/${what}`, verb === "POST" ? {} : undefined)) as {
          readonly data: Record<string, string>;
        }
      ).data;
    const roleId = (await read("GET", "role-id"))["role_id"] ?? "";
    const secretId = (await read("POST", "secret-id"))["secret_id"] ?? "";
    const tokens = async () =>
      (await vault().call("GET", `sys/leases/lookup/auth/${method}/login?list=true`)).body["data"];
    return { ...there, roleId, secretId, method, tokens };
  }

  test("by an AppRole delivers, with batch tokens too", async () => {
    for (const more of [{}, { token_type: "batch" }]) {
      const { config, data, method, roleId, secretId } = await role(more);
      const session = await openKv(vault(), { config, secret: secretId, approle: { mount: method, roleId } });
      const text = freshText();
      await session.deliver(delivery(1, text));
      expect((await data())["DB_PASSWORD"]).toBe(text);
    }
  });

  test("whose tokens somebody ends is made anew in the middle of it", async () => {
    const { config, method, roleId, secretId } = await role();
    const session = await openKv(vault(), { config, secret: secretId, approle: { mount: method, roleId } });
    await session.observe();
    await vault().must("PUT", `sys/leases/revoke-prefix/auth/${method}/login`, {});
    expect((await session.observe()).isEmpty).toBe(true);
  });

  test("that is refused is said so", async () => {
    const { config, method, roleId } = await role();
    const session = await openKv(vault(), { config, secret: freshText(), approle: { mount: method, roleId } });
    expect(await failing(session.observe())).toMatchObject({ code: "target_auth_failed" });
    const { open } = await place();
    expect(await failing((await open({ secret: freshText() })).observe())).toMatchObject({ code: "login_expired" });
  });

  test("that lacks a right is told what to add, before anything is written", async () => {
    const { config, open, path } = await place();
    const secret = await vault().tokenWith(`path "${path}" {\n  capabilities = ["read"]\n}`);
    const session = await open({ secret });
    const stanza = `path "${path}" {\n  capabilities = ["patch"]\n}`;
    const [finding] = await session.preflight();
    expect([finding?.code, finding?.detail.includes(stanza)]).toEqual(["right_missing", true]);
    const error = await failing(session.deliver(delivery(1)));
    expect([error.code, error.detail.includes(stanza)]).toEqual(["right_missing", true]);
    expect(config.path).toBe("apps/orders");
  });

  test("is looked at by doctor: what answers, and what it may do too much", async () => {
    const { secret } = await place();
    const settings = { address: vault().address, ca: vault().ca, paths: {} };
    const look = (text: string) =>
      vaultKv.connectionKind?.look?.(
        { connection: settings, admin: { secret: new Secret(text) } },
        contextFor(vault().address),
      );
    const seen = await look(secret);
    expect(seen?.identity).toMatch(/^vault:/);
    expect(seen?.about).toContain("Vault 1.");
    expect(seen?.findings).toEqual([]);
    const root = await vault().tokenWith('path "sys/*" {\n  capabilities = ["read"]\n}');
    expect((await look(root))?.findings.map(({ code }) => code)).toEqual(["right_unneeded"]);
  });
});

describe("the secret", () => {
  test("that is deleted, destroyed or not there is not made again, and the command to bring it back is named", async () => {
    const { mount, open } = await place();
    const session = await open();
    await session.deliver(delivery(1));
    const look = async () => [await failing(session.deliver(delivery(2))), await failing(session.observe())];
    await vault().must("DELETE", `${mount}/data/apps/orders`);
    for (const error of await look())
      expect([error.code, error.detail]).toEqual(["target_unreachable", expect.stringContaining("vault kv undelete")]);
    expect((await session.preflight()).map(({ code }) => code)).toEqual(["target_unreachable"]);
    await vault().must("PUT", `${mount}/destroy/apps/orders`, { versions: [2] });
    for (const error of await look()) expect(error.detail).toContain("vault kv rollback");
    await vault().must("DELETE", `${mount}/metadata/apps/orders`);
    for (const error of await look()) expect(error.detail).toContain("vault kv put");
  });

  test("in an engine of version 1 is a finding", async () => {
    const { mount, config } = await place({ version: "1" });
    const secret = await vault().tokenWith(`path "${mount}/*" {\n  capabilities = ["read"]\n}`);
    const session = await openKv(vault(), { config, secret });
    const [finding] = await session.preflight();
    expect([finding?.code, finding?.detail.includes("version 1")]).toEqual(["target_refused", true]);
  });

  test("whose versions delete themselves is a finding", async () => {
    const { mount, write, open } = await place();
    await vault().must("POST", `${mount}/metadata/apps/orders`, { delete_version_after: "1h" });
    await write({ MODE: "other" });
    const [finding] = await (await open()).preflight();
    expect([finding?.code, finding?.detail.includes("delete themselves")]).toEqual(["target_refused", true]);
  });

  test("that demands a check-and-set, or keeps a single version, is delivered to", async () => {
    const { mount, open, data } = await place();
    await vault().must("POST", `${mount}/metadata/apps/orders`, { cas_required: true, max_versions: 1 });
    const session = await open();
    const text = freshText();
    const { digest } = await session.deliver(delivery(1));
    await session.deliver(delivery(2, text, digest));
    expect((await data())["DB_PASSWORD"]).toBe(text);
    expect((await session.observe()).foreignHands).toBeUndefined();
  });

  test("with numbers and objects of others keeps them to the last digit", async () => {
    const { mount, path, open } = await place();
    const asText = async () => JSON.stringify((await vault().must("GET", path))["data"]);
    await vault().must("POST", path, { data: { MODE: "live", list: [1, { a: null }], half: 0.5 } });
    await (await open()).deliver(delivery(1));
    expect(await asText()).toContain('"list":[1,{"a":null}]');
    expect(mount.length).toBeGreaterThan(0);
  });

  test("that somebody changed is drift, with the version in which they did", async () => {
    const { write, open, data } = await place();
    const session = await open();
    const { digest } = await session.deliver(delivery(1));
    await write({ MODE: "theirs" });
    expect((await session.observe()).foreignHands).toBeUndefined();
    await write({ DB_PASSWORD: "by-hand" });
    await write({ MODE: "again" });
    expect((await session.observe()).foreignHands).toContain("Version 4");
    const error = await failing(session.deliver(delivery(2, freshText(), digest)));
    expect([error.code, error.detail.includes("Version 4")]).toEqual(["target_drift", true]);
    expect((await data())["DB_PASSWORD"]).toBe("by-hand");
  });

  test("that somebody changed names their login where ours may read the metadata", async () => {
    const { mount, config, open, path } = await place();
    const metadata = { path: `${mount}/metadata/apps/orders`, capabilities: ["read"] } as const;
    const secret = await vault().tokenWith(policyOf([...rightsFor(config), metadata]));
    const session = await open({ secret });
    await session.deliver(delivery(1));
    const theirs = await vault().tokenWith(policyOf(rightsFor(config)), { display_name: "anna" });
    await vault().must("PATCH", path, { data: { DB_PASSWORD: "by-hand" } }, { ...merge, token: theirs });
    expect((await session.observe()).foreignHands).toContain('"token-anna" wrote it');
  });

  test("is shared by two consumers with keys of their own, and not with the same key", async () => {
    const { config, open, data } = await place();
    const [one, other] = [newConsumer(), newConsumer()];
    const text = freshText();
    await (await open({ consumer: one })).deliver(delivery(1, text));
    const beside = await open({ consumer: other, config: { ...config, keys: { DB_USER: "username" } } });
    await beside.deliver(delivery(1));
    expect(await data()).toMatchObject({ MODE: "live", DB_PASSWORD: text, DB_USER: "orders_a" });
    const rival = await open({ consumer: other });
    expect((await rival.preflight()).map(({ code }) => code)).toEqual(["target_refused"]);
    const error = await failing(rival.deliver(delivery(2)));
    expect([error.code, error.detail.includes(`rekey_${one}`)]).toEqual(["target_refused", true]);
  });

  test("keeps what the application put behind a URL", async () => {
    const { config, open, data } = await place();
    const url = (secret: string) => `postgresql://orders:${secret}@db.example.com:5432/orders`;
    const session = await open({ config: { ...config, keys: { DATABASE_URL: "url" } } });
    await vault().must(
      "PATCH",
      `${config.mount}/data/apps/orders`,
      { data: { DATABASE_URL: `${url("old")}?sslmode=require` } },
      merge,
    );
    const text = freshText();
    await session.deliver({ ...delivery(1), value: { url: new Secret(url(text)) } });
    expect((await data())["DATABASE_URL"]).toBe(`${url(text)}?sslmode=require`);
  });

  test("is as it was after a rehearsal, which needs the rights of a delivery", async () => {
    const { path, open, data } = await place();
    const session = await open();
    await session.deliver(delivery(1));
    const before = await data();
    expect(await session.rehearse?.(delivery(1).value)).toContain("Nothing was kept");
    expect(await data()).toEqual(before);
    const secret = await vault().tokenWith(`path "${path}" {\n  capabilities = ["read"]\n}`);
    const work = (await open({ secret })).rehearse?.(delivery(1).value);
    expect((await failing(work ?? Promise.resolve())).code).toBe("right_missing");
  });
});

test("a login by the role that the page makes brings values, and leaves no token behind", async () => {
  const { open, path, data } = await place();
  const policy = policyOnPage("consumer", { "secret/data/apps/orders/database": path });
  const { approle, secretId: secret, tokens } = await roleAsOnPage(vault(), policy);
  const before = await tokens();
  const session = await open({ secret, approle });
  expect(await session.preflight()).toEqual([]);
  const text = freshText();
  await session.deliver(delivery(1, text));
  await (await open({ secret, approle })).observe();
  expect([(await data())["DB_PASSWORD"], await tokens()]).toEqual([text, before]);
});
