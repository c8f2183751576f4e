import { randomBytes } from "node:crypto";
import { createEgress } from "../../providers/contract/egress-client.ts";
import type { ConsumerSession } from "../../providers/contract/consumer.ts";
import type { ProviderContext } from "../../providers/contract/context.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { vaultKv, type VaultKvConfig } from "../../providers/consumers/vault-kv/definition.ts";
import { newConsumer } from "./kubernetes-secret.ts";
import type { VaultServer } from "./vault.ts";

export interface OpenKvHow {
  readonly config: VaultKvConfig;
  /** The connection's secret. */
  readonly secret: string;
  /** Where Vault is asked; the server itself unless given. */
  readonly address?: string;
  readonly approle?: { readonly roleId: string; readonly mount?: string };
  readonly consumer?: string;
  readonly digestKey?: Uint8Array;
  readonly signal?: AbortSignal;
  readonly log?: ProviderContext["log"];
}

const ownKey = randomBytes(32);
const someConsumer = newConsumer();

/** What a provider gets of the world, with this address as the only local one that may be asked. */
export const contextFor = (
  address: string,
  { signal, log = () => undefined }: Pick<OpenKvHow, "signal" | "log"> = {},
): ProviderContext => ({
  signal: signal ?? new AbortController().signal,
  log,
  fetch: createEgress({ allowedLocalPorts: [Number(new URL(address).port)], ownPorts: [], log, timeoutMs: 60_000 }),
});

/** A session as a worker holds it. */
export async function openKv(vault: VaultServer, how: OpenKvHow): Promise<ConsumerSession> {
  const { address = vault.address, consumer = someConsumer, digestKey = ownKey, secret, approle } = how;
  const config = vaultKv.configSchema.parse(how.config);
  const settings = { address, ca: vault.ca, paths: {}, ...(approle === undefined ? {} : { approle }) };
  return vaultKv.open(
    {
      config,
      connection: { settings, secret: { secret: new Secret(secret) } },
      allowed: { roots: [], reloads: {} },
      consumer,
      digestKey,
    },
    contextFor(address, how),
  );
}
