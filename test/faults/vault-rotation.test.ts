import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { vaultKv } from "../../providers/consumers/vault-kv/definition.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";
import { makeRoles } from "../conformance/vault/approle-world.ts";
import { policyOnPage } from "../conformance/vault/page-policies.ts";
import { registerOverConnection } from "../harness/over-connection.ts";
import { registerCredential } from "../harness/register-credential.ts";
import { versionsOf } from "../harness/say.ts";
import { openSteps, type Steps } from "../harness/steps.ts";
import { withVault } from "../harness/with-vault.ts";
import { newMark, readRotation } from "../harness/world.ts";

const vault = withVault();
/** Longer than the policy of a test waits before it tries again. */
const sealedMs = 1_500;

/** The steps, with a place of custody in Vault. */
async function openWithVault(): Promise<{ readonly steps: Steps; readonly mount: string }> {
  const folder = await mkdtemp(join(tmpdir(), "rk-vault-rotation-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const mount = await vault().mountKv();
  const [secretFile, custodies] = [join(folder, "token"), join(folder, "custodies.json")];
  const token = await vault().tokenWith(policyOnPage("custody", { "secret/": `${mount}/` }));
  await writeFile(secretFile, token, { mode: 0o600 });
  const place = { kind: "vault", address: vault().address, ca: vault().ca, secretFile, mount };
  await writeFile(custodies, JSON.stringify({ "main-vault": place }), { mode: 0o600 });
  const steps = await openSteps({
    REKEY_EGRESS_LOCAL_PORTS: new URL(vault().address).port,
    REKEY_CUSTODIES_FILE: custodies,
  });
  onTestFinished(() => steps.close());
  return { steps, mount };
}

/** A secret id that rests in Vault, and is read from a file and from a secret in Vault. */
async function register({ steps, mount }: Awaited<ReturnType<typeof openWithVault>>) {
  const { address, ca } = vault();
  const roles = await makeRoles(vault());
  const today = await roles.makeSecretId("orders");
  const given: Value = {
    role_id: today["role_id"] ?? "",
    secret_id: today["secret_id"] ?? "",
    accessor: today["accessor"] ?? "",
  };
  const mark = newMark();
  const file = join(steps.folder, "targets", `${mark}.env`);
  const text = (field: string) => revealField(given, field);
  await writeFile(file, `ROLE_ID=${text("role_id")}\nSECRET_ID=${text("secret_id")}\n`, { mode: 0o600 });
  const policy = { holdAfterMs: 120_000, attempts: 100 };
  const stored = await steps.checking(async () =>
    registerCredential(steps, {
      ...{ mark, policy, kind: "vault-approle-secret-id", order: "overlap", config: roles.config, principals: [] },
      custody: "main-vault",
      connection: {
        settings: { address, ca, approle: { mount: roles.mount, roleId: roles.admin.roleId } },
        secret: { secret: new Secret(roles.admin.secretId) },
        principal: "",
      },
      consumer: {
        ...{ name: "shop", kind: "file", target: `file:${file}`, evidence: { collectors: {} } },
        config: { path: file, format: "dotenv", keys: { ROLE_ID: "role_id", SECRET_ID: "secret_id" } },
      },
      today: given,
    }),
  );
  const path = `${mount}/data/apps/orders`;
  const held = { role_id: text("role_id"), secret_id: text("secret_id") };
  await vault().must("POST", path, { data: { ...held, mode: "live" } });
  const kvToken = await vault().tokenWith(policyOnPage("consumer", { "secret/data/apps/orders/database": path }));
  await registerOverConnection(steps, stored, {
    definition: vaultKv,
    name: "reports",
    config: { mount, path: "apps/orders", keys: { role_id: "role_id", secret_id: "secret_id" } },
    settings: (team) => ({ address, ca, paths: { [team]: [`${mount}/apps/`] } }),
    secret: { secret: new Secret(kvToken) },
    evidence: { collectors: {} },
  });
  const login = async (json: object) => {
    const { status, body } = await vault().call("POST", `auth/${roles.mount}/login`, json, { token: "" });
    if (status !== 200) return "refused";
    const { client_token: token } = body["auth"] as { readonly client_token: string };
    await vault().must("POST", "auth/token/revoke-self", {}, { token });
    return "accepted";
  };
  return {
    ...stored,
    old: held,
    login,
    async inVault() {
      const { data } = (await vault().must("GET", path)) as {
        readonly data: { readonly data: Record<string, string> };
      };
      return data.data;
    },
    async inFile() {
      const found = await readFile(file, "utf8");
      const read = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(found)?.[1] ?? "";
      return { role_id: read("ROLE_ID"), secret_id: read("SECRET_ID") };
    },
    async secretIds() {
      const { data } = (await vault().must("GET", `auth/${roles.mount}/role/orders/secret-id?list=true`)) as {
        readonly data: { readonly keys: readonly string[] };
      };
      return data.keys;
    },
  };
}

test("a secret id whose custody and consumer are in Vault rotates though that is sealed for a while in each phase: nothing is lost, nobody is refused", async () => {
  const there = await openWithVault();
  const { steps } = there;
  const orders = await register(there);
  const rotationId = await orders.rotate();
  let isOver = false;
  const carrying = steps.carry(rotationId).finally(() => (isOver = true));
  const sealedIn: string[] = [];
  const sealing = (async () => {
    while (!isOver) {
      const { phase } = await steps.read(rotationId);
      if (sealedIn.includes(phase)) {
        await pause(20);
        continue;
      }
      sealedIn.push(phase);
      await vault().seal();
      await pause(sealedMs);
      await vault().unseal();
      // What each consumer holds lets it in, whatever was on its way.
      expect([await orders.login(await orders.inVault()), await orders.login(await orders.inFile())]).toEqual([
        "accepted",
        "accepted",
      ]);
    }
  })();
  await Promise.all([carrying, sealing]);

  expect(await readRotation(steps, rotationId)).toMatchObject({ outcome: "proven", hold: null });
  expect(sealedIn.length).toBeGreaterThan(5);
  const held = await orders.inVault();
  expect(held).toMatchObject({ mode: "live", ...(await orders.inFile()) });
  expect(held["secret_id"]).not.toBe(orders.old.secret_id);
  expect(await orders.login(orders.old)).toBe("refused");
  expect(await orders.secretIds()).toHaveLength(1);
  expect(await versionsOf(steps, orders.credentialId)).toMatchObject([
    { number: 1, state: "proven-dead" },
    { number: 2, state: "live" },
  ]);
});
