import { randomBytes } from "node:crypto";
import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { PermanentError } from "../../../domain/errors.ts";
import { unmarked } from "./config.ts";
import type { Scope } from "./scope.ts";

/** What we write into the metadata of a secret id. Vault copies it to every token that is made with it. */
export interface Mark {
  readonly instance: string;
  readonly credential: string;
  readonly operationKey: string;
  readonly claim: Claim;
  /** Random, of this one secret id: its tokens are known by it when it is gone. */
  readonly mark: string;
}

export type Metadata = Readonly<Record<string, string>>;

export const newMark = (): string => randomBytes(12).toString("hex");

export const writtenMark = ({ instance, credential, operationKey, claim, mark }: Mark): Metadata => ({
  rekey_instance: instance,
  rekey_credential: credential,
  rekey_operation: operationKey,
  rekey_claim: `${claim.epoch}.${claim.number}`,
  rekey_mark: mark,
});

/** Undefined where a person made it. */
export function readMark(metadata: Metadata): Mark | undefined {
  const { rekey_instance: instance, rekey_credential: credential, rekey_operation: operationKey } = metadata;
  const [, epoch, number] = /^(\d{1,15})\.(\d{1,15})$/.exec(metadata["rekey_claim"] ?? "") ?? [];
  const mark = metadata["rekey_mark"];
  if (instance === undefined || credential === undefined || operationKey === undefined) return undefined;
  if (number === undefined || mark === undefined || mark === unmarked) return undefined;
  return { instance, credential, operationKey, claim: { epoch: Number(epoch), number: Number(number) }, mark };
}

export const isOurs = (mark: Mark | undefined, { instance, credential }: Scope): boolean =>
  mark !== undefined && mark.instance === instance && mark.credential === credential;

/** Refuses what belongs to somebody else, and a call whose turn is over. Without a mark only its own handle can mean it. */
export function assertMay(mark: Mark | undefined, claim: Claim, scope: Scope): void {
  if (mark === undefined) return;
  if (!isOurs(mark, scope))
    throw new PermanentError(
      "handle_taken",
      "The secret id was made for another credential or another installation of rekey. Nothing was done.",
    );
  if (compareClaims(mark.claim, claim) > 0)
    throw new PermanentError("claim_outdated", "A newer attempt has made this version. Nothing was done.");
}
