import { OperatorNeededError } from "../../../domain/errors.ts";
import type { ConsumerDefinition, ConsumerOpening, ConsumerSession, Observation } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { allows, placeOf } from "../../systems/vault/connection.ts";
import { sameKeys } from "../../contract/shared-keys.ts";
import { configSchema, fieldsOf, placeIn, type VaultKvConfig } from "./config.ts";
import { vault, type VaultConnection } from "./connection.ts";
import { digestOf, heldIn, holdsAll, isEmpty, wantedOf } from "./content.ts";
import { deliver } from "./deliver.ts";
import { foreignHands } from "./hands.ts";
import { markIn } from "./mark.ts";
import { openOver } from "./open-over.ts";
import { preflight } from "./preflight.ts";
import { rehearse } from "./rehearse.ts";
import { readSecret, type Target } from "./target.ts";

export type { VaultKvConfig } from "./config.ts";
export type { VaultConnection } from "./connection.ts";

const kind = "vault-kv";

/** As a connection's `paths` has it. */
const pathOf = (config: VaultKvConfig): string => Object.values(placeIn(config)).join("/");

const targetOf = (config: VaultKvConfig, connection?: VaultConnection): string =>
  `${kind}:${connection === undefined ? "" : placeOf(connection)}/${pathOf(config)}`;

function refuses({ paths }: VaultConnection, config: VaultKvConfig, team: string): string | undefined {
  const path = pathOf(config);
  const { isAllowed, entries } = allows(paths, team, path);
  if (isAllowed) return undefined;
  return `The connection lets team ${team} use ${entries.length === 0 ? "no path" : `only ${entries.join(", ")}`}. Add ${path} to paths of the connection for that team, if it may have secrets written there.`;
}

async function observe(target: Target): Promise<Observation> {
  const { config, name, consumer, digestKey } = target;
  const now = await readSecret(target);
  const held = heldIn(now.data, config);
  const number = markIn(now.data, consumer)?.number;
  const hands = await foreignHands(target, now);
  return {
    ...(hands === "" ? {} : { foreignHands: hands }),
    ...(number === undefined ? {} : { number }),
    digest: digestOf(held, name, digestKey),
    isEmpty: isEmpty(held),
    holds: (value) => holdsAll(held, wantedOf(value, config), config),
  };
}

function sessionOf(
  { config, connection, consumer, digestKey }: ConsumerOpening<VaultKvConfig, VaultConnection>,
  context: ProviderContext,
): ConsumerSession {
  if (connection === undefined)
    throw new OperatorNeededError("target_refused", "A Vault is reached over a connection. Name one in the consumer.");
  const { settings, secret } = connection;
  const opened = openOver(settings, secret, context);
  const name = targetOf(config, settings);
  const target: Target = { vault: opened, signal: context.signal, config, name, consumer, digestKey };
  return {
    preflight: async (values = []) => preflight(target, values),
    observe: async () => observe(target),
    deliver: async (delivery) => deliver(target, delivery),
    rehearse: async (value) => rehearse(target, value),
  };
}

export const vaultKv: ConsumerDefinition<VaultKvConfig, VaultConnection> = {
  kind,
  title: "Keys of a secret in Vault's KV engine",
  connectionKind: vault,
  configSchema,
  targetOf,
  sharedKeys: (one, other) => sameKeys(one.keys, other.keys),
  fieldsOf,
  refuses,
  open: async (opening, context) => sessionOf(opening, context),
};
