import { z } from "zod";
import { failureOf } from "../../systems/vault/failure.ts";
import { revealField, type Value } from "../../contract/value.ts";
import { wordsFor } from "../../systems/vault/rights.ts";
import { isGood } from "../../systems/vault/way.ts";
import { parsedAs } from "../../systems/vault/vault.ts";
import { fewAtOnce } from "./few-at-once.ts";
import { readMark, type Mark, type Metadata } from "./mark.ts";
import { rights } from "./rights.ts";
import type { Scope } from "./scope.ts";

const roleRead = z.object({
  data: z.object({
    bind_secret_id: z.boolean(),
    secret_id_num_uses: z.number(),
    secret_id_ttl: z.number(),
    token_type: z.string(),
  }),
});
export type Role = z.output<typeof roleRead>["data"];

/** Undefined where there is none. https://developer.hashicorp.com/vault/api-docs/auth/approle#read-approle */
export async function readRole({ vault, signal, config }: Scope): Promise<Role | undefined> {
  const right = rights.readRole(config);
  const answer = await vault.ask({ path: right.path, right, expects: [404] }, signal);
  return isGood(answer) ? parsedAs(vault, roleRead, answer, right).data : undefined;
}

const roleIdRead = z.object({ data: z.object({ role_id: z.string().min(1) }) });

/** https://developer.hashicorp.com/vault/api-docs/auth/approle#read-approle-role-id */
export async function readRoleId({ vault, signal, config }: Scope): Promise<string | undefined> {
  const right = rights.readRoleId(config);
  const answer = await vault.ask({ path: right.path, right, expects: [404] }, signal);
  return isGood(answer) ? parsedAs(vault, roleIdRead, answer, right).data.role_id : undefined;
}

const minted = z.object({ data: z.object({ secret_id: z.string(), secret_id_accessor: z.string().min(1) }) });

/** https://developer.hashicorp.com/vault/api-docs/auth/approle#generate-new-secret-id */
export async function mint(scope: Scope, metadata: Metadata): Promise<{ secretId: string; accessor: string }> {
  const { vault, signal, config } = scope;
  const right = rights.mint(config);
  const json = { metadata: JSON.stringify(metadata) };
  const answer = await vault.ask({ method: "POST", path: right.path, json, right }, signal);
  const { secret_id: secretId, secret_id_accessor: accessor } = parsedAs(vault, minted, answer, right).data;
  return { secretId, accessor };
}

const keys = z.object({ data: z.object({ keys: z.array(z.string()) }) });

/** https://developer.hashicorp.com/vault/api-docs/auth/approle#list-secret-id-accessors */
async function accessors({ vault, signal, config }: Scope): Promise<readonly string[]> {
  const right = rights.listAccessors(config);
  const answer = await vault.ask({ path: `${right.path}?list=true`, right, expects: [404] }, signal);
  return isGood(answer) ? parsedAs(vault, keys, answer, right).data.keys : [];
}

/** One secret id, as its accessor shows it. Times are Vault's own, ISO 8601. */
export interface SecretId {
  readonly accessor: string;
  readonly mark: Mark | undefined;
  readonly createdAt: string;
  readonly isExpired: boolean;
}

const looked = z.object({
  data: z.object({
    creation_time: z.string(),
    expiration_time: z.string(),
    metadata: z.record(z.string(), z.string()).nullish(),
  }),
});

/** Undefined where it is gone. https://developer.hashicorp.com/vault/api-docs/auth/approle#read-approle-secret-id-accessor */
export async function lookUp(scope: Scope, accessor: string): Promise<SecretId | undefined> {
  const { vault, signal, config } = scope;
  const right = rights.lookUp(config);
  const json = { secret_id_accessor: accessor };
  const answer = await vault.ask({ method: "POST", path: right.path, json, right, expects: [404] }, signal);
  // 204: the accessor is another role's.
  if (!isGood(answer) || answer.status === 204) return undefined;
  const { creation_time: createdAt, expiration_time: until, metadata } = parsedAs(vault, looked, answer, right).data;
  // The year 1 stands for no end.
  const isExpired = !until.startsWith("0001-") && Date.parse(until) <= Date.now();
  return { accessor, mark: readMark(metadata ?? {}), createdAt: new Date(createdAt).toISOString(), isExpired };
}

const named = z.object({ data: z.object({ secret_id_accessor: z.string().min(1) }) });

/**
 * The accessor of a secret id of the role; undefined where Vault does not know it.
 * https://developer.hashicorp.com/vault/api-docs/auth/approle#read-approle-secret-id
 */
export async function accessorOf(scope: Scope, value: Value): Promise<string | undefined> {
  const { vault, signal, config } = scope;
  const right = rights.lookUpSecretId(config);
  const json = { secret_id: revealField(value, "secret_id") };
  const answer = await vault.ask({ method: "POST", path: right.path, json, right, expects: [404] }, signal);
  if (!isGood(answer) || answer.status === 204) return undefined;
  return parsedAs(vault, named, answer, right).data.secret_id_accessor;
}

/** Whether Vault still has it, by its lookup, and by its list where that finds none. False where there is no role. */
export async function isThere(scope: Scope, accessor: string): Promise<boolean> {
  if ((await readRole(scope)) === undefined) return false;
  const found = await lookUp(scope, accessor);
  return found === undefined ? (await accessors(scope)).includes(accessor) : !found.isExpired;
}

/** Every secret id of the role; none where there is no role, to which Vault answers as to a fault of its own. */
export async function allOf(scope: Scope): Promise<readonly SecretId[]> {
  if ((await readRole(scope)) === undefined) return [];
  const looks = await fewAtOnce(await accessors(scope), async (accessor) => lookUp(scope, accessor));
  return looks.filter((one) => one !== undefined);
}

/**
 * Gone already is as good, which Vault answers with 500.
 * https://developer.hashicorp.com/vault/api-docs/auth/approle#destroy-approle-secret-id-accessor
 */
export async function destroy(scope: Scope, accessor: string): Promise<void> {
  const { vault, signal, config } = scope;
  const right = rights.destroy(config);
  const json = { secret_id_accessor: accessor };
  const answer = await vault.ask({ method: "POST", path: right.path, json, right, expects: [404, 500] }, signal);
  if (answer.status === 500 && (await lookUp(scope, accessor)) !== undefined)
    throw await failureOf(vault, answer, wordsFor(right), signal);
}
