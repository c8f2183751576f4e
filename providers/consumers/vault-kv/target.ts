import { OperatorNeededError } from "../../../domain/errors.ts";
import { readKv, type KvRead } from "../../systems/vault/kv.ts";
import type { Vault } from "../../systems/vault/vault.ts";
import { placeIn, type VaultKvConfig } from "./config.ts";

/** One registration's part of one secret. */
export interface Target {
  readonly vault: Vault;
  readonly signal: AbortSignal;
  readonly config: VaultKvConfig;
  /** As `targetOf` of the definition has it. */
  readonly name: string;
  /** Whose registration it is. */
  readonly consumer: string;
  readonly digestKey: Uint8Array;
}

export type LiveVersion = Extract<KvRead, { readonly state: "live" }>;

export const keysOf = ({ config }: Target): readonly string[] => Object.keys(config.keys);

/** As Vault's own program is told of it. */
export const named = ({ config }: Target): string => {
  const { mount, path } = placeIn(config);
  return `-mount=${mount} ${path}`;
};

/** The newest version. The secret is never made by us, so that one which somebody removed stays removed. */
export async function readSecret(target: Target): Promise<LiveVersion> {
  const { vault, config, signal } = target;
  const found = await readKv(vault, placeIn(config), signal);
  if (found.state === "live") return found;
  throw new OperatorNeededError("target_unreachable", `${whyGone(target, found)}; then retry.`);
}

function whyGone(target: Target, found: Exclude<KvRead, LiveVersion>): string {
  const name = named(target);
  if (found.state === "deleted")
    return `Version ${found.version} of the secret (${name}), its newest, is deleted. Take that back (vault kv undelete -versions=${found.version} ${name})`;
  if (found.state === "destroyed")
    return `Version ${found.version} of the secret (${name}), its newest, is destroyed. Bring back an older one (vault kv rollback -version=N ${name}), or put it anew`;
  return `There is no secret at ${name}. Put it there with what else it is to hold (vault kv put ${name} KEY=VALUE)`;
}
