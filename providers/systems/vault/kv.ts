import { z } from "zod";
import { TransientError } from "../../../domain/errors.ts";
import type { Right } from "./rights.ts";
import { isGood } from "./way.ts";
import { parsedAs, type Vault } from "./vault.ts";

/** One secret of an engine of version 2. */
export interface KvPlace {
  readonly mount: string;
  readonly path: string;
}

/** A version as it lies there; the newest unless one was named. */
export type KvRead =
  | {
      readonly state: "live";
      readonly version: number;
      readonly data: Readonly<Record<string, unknown>>;
      /** By Vault's clock, ISO 8601. */
      readonly createdAt: string;
      /** When it deletes itself; absent where it does not. */
      readonly deletedAt?: string;
    }
  | { readonly state: "deleted" | "destroyed"; readonly version: number }
  | { readonly state: "absent" };

const metadata = z.object({
  version: z.number(),
  created_time: z.string(),
  deletion_time: z.string(),
  destroyed: z.boolean(),
});
const versionRead = z.object({
  data: z.object({ data: z.record(z.string(), z.unknown()).nullable(), metadata }),
});

export const dataPath = ({ mount, path }: KvPlace): string => `${mount}/data/${path}`;
const readRight = (at: KvPlace): Right => ({ path: dataPath(at), capabilities: ["read"] });

/**
 * A deleted version is answered with 404 and its metadata, a secret that never was with 404 alone.
 * https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version
 */
export async function readKv(vault: Vault, at: KvPlace, signal: AbortSignal, version?: number): Promise<KvRead> {
  const right = readRight(at);
  const query = version === undefined ? "" : `?version=${version}`;
  const answer = await vault.ask({ path: `${right.path}${query}`, right, expects: [404, 400] }, signal);
  if (answer.status === 400)
    throw new TransientError(
      vault.side.unreachable,
      `Vault does not read from ${at.mount} now (400), as while the engine is upgraded. It will be tried again; if that lasts, look at the mount.`,
    );
  const isThere = isGood(answer) || versionRead.safeParse(answer.body).success;
  if (!isThere) return { state: "absent" };
  const { data, metadata: of } = parsedAs(vault, versionRead, answer, right).data;
  if (data === null) return { state: of.destroyed ? "destroyed" : "deleted", version: of.version };
  return {
    state: "live",
    version: of.version,
    data,
    createdAt: of.created_time,
    ...(of.deletion_time === "" ? {} : { deletedAt: of.deletion_time }),
  };
}

const patchRight = (at: KvPlace): Right => ({ path: dataPath(at), capabilities: ["patch"] });

/**
 * Sets these fields alone, as a new version, if the newest is still `cas`. `refused`: it is not, or Vault minds something
 * else; only another look tells. https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#patch-secret
 */
export async function patchKv(
  vault: Vault,
  at: KvPlace,
  { data, cas }: { readonly data: Readonly<Record<string, unknown>>; readonly cas: number },
  signal: AbortSignal,
): Promise<"done" | "refused" | "absent" | "too-large"> {
  const right = patchRight(at);
  const json = { data, options: { cas } };
  const contentType = "application/merge-patch+json";
  const call = { method: "PATCH", path: right.path, json, contentType, right, expects: [400, 404, 413] } as const;
  const answer = await vault.ask(call, signal);
  if (isGood(answer)) return "done";
  if (answer.status === 404) return "absent";
  return answer.status === 413 ? "too-large" : "refused";
}

const writeRight = (at: KvPlace): Right => ({ path: dataPath(at), capabilities: ["create", "update"] });

/**
 * A whole version, if the newest is still `cas`; 0 where there must never have been one. What was destroyed counts, so that
 * a write which comes late finds its place taken. https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#create-update-secret
 */
export async function writeKv(
  vault: Vault,
  at: KvPlace,
  { data, cas }: { readonly data: Readonly<Record<string, unknown>>; readonly cas: number },
  signal: AbortSignal,
): Promise<"done" | "refused"> {
  const right = writeRight(at);
  const json = { data, options: { cas } };
  const answer = await vault.ask({ method: "POST", path: right.path, json, right, expects: [400] }, signal);
  return isGood(answer) ? "done" : "refused";
}

const destroyRight = ({ mount, path }: KvPlace): Right => ({
  path: `${mount}/destroy/${path}`,
  capabilities: ["update"],
});

/** For ever, and again without complaint. https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#destroy-secret-versions */
export async function destroyKv(
  vault: Vault,
  at: KvPlace,
  versions: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const right = destroyRight(at);
  await vault.ask({ method: "PUT", path: right.path, json: { versions }, right, expects: [404] }, signal);
}

const writers = z.object({
  data: z.object({
    versions: z.record(z.string(), z.object({ created_by: z.object({ actor: z.string() }).nullish() })),
  }),
});

/**
 * Whose login wrote a version, as Vault calls it. From 1.21 on, and for a login that may read the metadata; undefined
 * otherwise. https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-metadata
 */
export async function writerOf(
  vault: Vault,
  { mount, path }: KvPlace,
  version: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const right: Right = { path: `${mount}/metadata/${path}`, capabilities: ["read"] };
  const answer = await vault.ask({ path: right.path, right, expects: [403, 404] }, signal);
  const found = writers.safeParse(answer.body).data?.data.versions[String(version)]?.created_by?.actor;
  return isGood(answer) && found !== undefined && found !== "" ? found : undefined;
}

const mountRead = z.object({
  data: z.object({ type: z.string(), path: z.string(), options: z.record(z.string(), z.string()).nullish() }),
});

/**
 * What engine lies behind a path, which everybody may ask who may do anything there. Undefined where that is not so.
 * https://developer.hashicorp.com/vault/api-docs/system/internal-ui-mounts
 */
export async function engineOf(
  vault: Vault,
  { mount, path }: KvPlace,
  signal: AbortSignal,
): Promise<{ readonly type: string; readonly version: string } | undefined> {
  const asked = `sys/internal/ui/mounts/${mount}/${path}`;
  const right: Right = { path: asked, capabilities: ["read"] };
  const answer = await vault.ask({ path: asked, right, expects: [403, 404] }, signal);
  if (!isGood(answer)) return undefined;
  const { type, options } = parsedAs(vault, mountRead, answer, right).data;
  return { type, version: options?.["version"] ?? "1" };
}
