import { OperatorNeededError, RekeyError } from "../../../domain/errors.ts";
import type { Claim } from "../../../domain/claim.ts";
import { getObject, type Api } from "./api.ts";
import { restarts, workloadRight, workloadsOf, type KubernetesSecretConfig } from "./config.ts";
import { secretObject, templateOf, workloadObject, type SecretObject } from "./objects.ts";
import { annotationOf, readNumber } from "./owners.ts";
import { secretsIn } from "./users.ts";

/** One registration's part of one Secret. */
export interface Target {
  readonly api: Api;
  readonly config: KubernetesSecretConfig;
  /** As `targetOf` of the definition has it. */
  readonly name: string;
  /** Whose registration it is. */
  readonly consumer: string;
  readonly digestKey: Uint8Array;
}

export const keysOf = ({ config }: Target): readonly string[] => Object.keys(config.keys);

/** What of it somebody may read. */
export const asked = (target: Target) => ({ secret: target.config.secret, keys: keysOf(target) });

export const secretRight = ({ config }: Target) => ({ group: "", resource: "secrets", name: config.secret });

/** The Secret as it is. It is never made by us: that would need the right to make any. */
export async function readSecret(target: Target): Promise<SecretObject> {
  const { secret, namespace } = target.config;
  const found = await getObject(target.api, secretRight(target), secretObject);
  if (found !== undefined) return found;
  throw new OperatorNeededError(
    "target_unreachable",
    `There is no Secret ${secret} in namespace ${namespace}. Is the name right?${await whatIsRead(target)} Correct \`secret\` in the manifest and apply it; only if the Secret was deleted, restore it with what it held. Then retry.`,
  );
}

/** Which Secrets the registered workloads read, as far as we may see; a name that is wrong is seen at once beside them. */
async function whatIsRead({ api, config }: Target): Promise<string> {
  if (!restarts(config)) return "";
  const names = new Set<string>();
  for (const workload of workloadsOf(config)) {
    const found = await getObject(api, workloadRight(workload), workloadObject).catch((error: unknown) => {
      if (error instanceof RekeyError) return undefined;
      throw error;
    });
    for (const name of secretsIn(found === undefined ? {} : (templateOf(found)?.spec ?? {}))) names.add(name);
  }
  return names.size === 0 ? "" : ` The registered workloads read: ${[...names].toSorted().join(", ")}.`;
}

/** The number of our newest delivery, as the Secret carries it. */
export const numberIn = (secret: SecretObject, { consumer }: Target): Claim | undefined =>
  readNumber(secret.metadata.annotations?.[annotationOf(consumer)]);
