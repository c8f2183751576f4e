import { accessKeyIssuer, type Lags } from "../../providers/issuers/aws-iam-access-key/definition.ts";
import { catalog } from "../../providers/catalog.ts";
import type { Claim } from "../../domain/claim.ts";
import type { IssuerSession } from "../../providers/contract/issuer.ts";
import type { AwsSettings } from "../../providers/systems/aws/settings.ts";
import { adminOf, contextFor } from "./aws-settings.ts";
import type { AwsKeys } from "./aws/clients.ts";

let turn = 0;
/** Rises over the whole process, as claims of one credential do. */
export const nextTurn = (): Claim => ({ epoch: 1, number: (turn += 1) });

export interface OpenKeysHow {
  readonly settings: AwsSettings;
  readonly admin: AwsKeys;
  readonly user: string;
  readonly url: string;
  readonly lags?: Lags;
  readonly credential?: string;
}

const quick: Lags = { activationMs: 0, deactivationMs: 0, listMs: 0, lastUsedMs: 0, lastUsedGrainMs: 0 };

/** A session as a worker holds it. */
export async function openKeys({ settings, admin, user, url, ...how }: OpenKeysHow): Promise<IssuerSession> {
  const { lags = quick, credential = "crd_orders" } = how;
  return accessKeyIssuer(lags).open(
    { connection: settings, admin: adminOf(admin), config: { user }, instance: "ins_one", credential },
    contextFor([url]),
  );
}

/** This process takes AWS for that quick from now on. Milliseconds. */
export function hastenAccessKeys(lagMs: number): void {
  const lastUse = { lastUsedMs: lagMs, lastUsedGrainMs: lagMs };
  const issuer = accessKeyIssuer({ activationMs: lagMs, deactivationMs: lagMs, listMs: lagMs, ...lastUse });
  Object.assign(catalog.issuers, { [issuer.kind]: issuer });
}
