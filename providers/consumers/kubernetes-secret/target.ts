import { OperatorNeededError } from "../../../domain/errors.ts";
import type { Claim } from "../../../domain/claim.ts";
import { getObject, type Api } from "./api.ts";
import type { KubernetesSecretConfig } from "./config.ts";
import { secretObject, type SecretObject } from "./objects.ts";
import { annotationOf, readNumber } from "./owners.ts";

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

export const secretRight = ({ config }: Target) => ({ group: "", resource: "secrets", name: config.secret });

/** The Secret as it is. It is never made by us: that would need the right to make any. */
export async function readSecret(target: Target): Promise<SecretObject> {
  const { secret, namespace } = target.config;
  const found = await getObject(target.api, secretRight(target), secretObject);
  if (found !== undefined) return found;
  throw new OperatorNeededError(
    "target_unreachable",
    `There is no Secret ${secret} in namespace ${namespace}. Create it (kubectl -n ${namespace} create secret generic ${secret}), or restore it with what it held, then retry.`,
  );
}

/** The number of our newest delivery, as the Secret carries it. */
export const numberIn = (secret: SecretObject, { consumer }: Target): Claim | undefined =>
  readNumber(secret.metadata.annotations?.[annotationOf(consumer)]);
