import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { Policy } from "../../domain/policy.ts";
import { readInstance } from "../../ledger/health.ts";
import { vaultKv } from "../../providers/consumers/vault-kv/definition.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";
import { makeRoles } from "../conformance/vault/approle-world.ts";
import { policyOnPage } from "../conformance/vault/page-policies.ts";
import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle } from "../harness/aws/settings.ts";
import { registerOverConnection } from "../harness/over-connection.ts";
import { registerCredential } from "../harness/register-credential.ts";
import { inDotenv, type HeldLogin } from "../harness/sentinel.ts";
import { openSteps } from "../harness/steps.ts";
import type { VaultReply } from "../harness/vault-api.ts";
import type { VaultServer } from "../harness/vault.ts";
import { newMark } from "../harness/world.ts";
import { awsSecret } from "./aws-secret.ts";

const keys = { role_id: "role_id", secret_id: "secret_id" };

/** The steps, with a place of custody in Vault, which they reach, as they reach AWS. */
async function openWithVault(vault: VaultServer, aws: FakeAws) {
  const folder = await mkdtemp(join(tmpdir(), "rk-vault-rotation-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const mount = await vault.mountKv();
  const [secretFile, custodies] = [join(folder, "token"), join(folder, "custodies.json")];
  const token = await vault.tokenWith(policyOnPage("custody", { "secret/": `${mount}/` }));
  await writeFile(secretFile, token, { mode: 0o600 });
  const place = { kind: "vault", address: vault.address, ca: vault.ca, secretFile, mount };
  await writeFile(custodies, JSON.stringify({ "main-vault": place }), { mode: 0o600 });
  const steps = await openSteps({
    REKEY_EGRESS_LOCAL_PORTS: [vault.address, aws.url].map((url) => new URL(url).port).join(","),
    REKEY_CUSTODIES_FILE: custodies,
  });
  onTestFinished(() => steps.close());
  return { steps, mount };
}

/** Vault's answer, once it gives one: while it is sealed, and for a moment around it, nobody is let in or refused. */
async function answered(call: () => Promise<VaultReply>): Promise<VaultReply> {
  for (;;) {
    const reply = await call();
    if (reply.status < 500) return reply;
    await pause(50);
  }
}

/**
 * A secret id that rests in Vault, and is read from a file, from a secret in Vault and from one in AWS. What is not of
 * `steps` is asked with nothing of ours.
 */
export async function openVaultPlace(vault: VaultServer, policy: Partial<Policy>) {
  const { address, ca } = vault;
  const aws = await FakeAws.start(gentle);
  onTestFinished(() => aws.close());
  const { steps, mount } = await openWithVault(vault, aws);
  const roles = await makeRoles(vault);
  const today: Value = await roles.makeSecretId("orders");
  const [given, held] = [{ ...today }, {} as Record<string, string>];
  delete given["mark"];
  for (const name of Object.keys(keys)) held[name] = revealField(given, name);
  const mark = newMark();
  const file = join(steps.folder, "targets", `${mark}.env`);
  const lines = Object.entries(held).map(([name, text]) => `${name}=${text}\n`);
  await writeFile(file, lines.join(""), { mode: 0o600 });
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
        config: { path: file, format: "dotenv", keys },
      },
      today: given,
    }),
  );
  const path = `${mount}/data/apps/orders`;
  await vault.must("POST", path, { data: { ...held, mode: "live" } });
  const kvToken = await vault.tokenWith(policyOnPage("consumer", { "secret/data/apps/orders/database": path }));
  await registerOverConnection(steps, stored, {
    definition: vaultKv,
    name: "reports",
    config: { mount, path: "apps/orders", keys },
    settings: (team) => ({ address, ca, paths: { [team]: [`${mount}/apps/`] } }),
    secret: { secret: new Secret(kvToken) },
    evidence: { collectors: {} },
  });
  const secret = await awsSecret(aws, { keys, held });
  onTestFinished(() => secret.close());
  await registerOverConnection(steps, stored, secret.consumer);

  const dataAt = async (at: string) => {
    const { status, body } = await answered(async () => vault.call("GET", at));
    return status === 200 ? ((body["data"] ?? {}) as Readonly<Record<string, unknown>>) : undefined;
  };
  return {
    ...stored,
    steps,
    old: held as HeldLogin,
    /** All that each consumer's place holds. */
    places: {
      file: inDotenv(file),
      vault: async () => ((await dataAt(path))?.["data"] ?? {}) as HeldLogin,
      aws: secret.read,
    },
    async login({ role_id = "", secret_id = "" }: HeldLogin): Promise<string> {
      const { status, body } = await answered(async () =>
        vault.call("POST", `auth/${roles.mount}/login`, { role_id, secret_id }, { token: "" }),
      );
      if (status !== 200) return String(status);
      const { client_token: token } = body["auth"] as { readonly client_token: string };
      // What it leaves behind would count as a user of the version.
      await answered(async () => vault.call("POST", "auth/token/revoke-self", {}, { token }));
      return "accepted";
    },
    /** Names of all that the role would let in. */
    async secretIds() {
      return ((await dataAt(`auth/${roles.mount}/role/orders/secret-id?list=true`))?.["keys"] ?? []) as string[];
    },
    /** What rests in Vault for a version, in clear; undefined when there is nothing any more. */
    async resting(version: number) {
      const instance = await readInstance(steps.ledger);
      const at = `${mount}/data/rekey/${instance}/${stored.credentialId}/${version}/version`;
      const found = (await dataAt(at))?.["data"] as { readonly value?: string } | null | undefined;
      return found?.value === undefined ? undefined : Buffer.from(found.value, "base64").toString();
    },
  };
}

export type VaultPlace = Awaited<ReturnType<typeof openVaultPlace>>;
