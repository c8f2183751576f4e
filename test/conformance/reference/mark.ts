import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError, TransientError } from "../../../domain/errors.ts";
import { ServerFault, type Entry } from "./server.ts";

/** What we write beside each version: whose it is, and whose turn made it what it is. */
export interface Mark {
  readonly instance: string;
  readonly credential: string;
  readonly version: number;
  readonly operationKey: string;
  readonly claim: Claim;
  /** Issuer's clock, milliseconds. */
  readonly at: number;
  readonly isEnded?: boolean;
}

export type Owner = Pick<Mark, "instance" | "credential">;

const prefix = "rekey:";

export const writeMark = (mark: Mark): string => prefix + JSON.stringify(mark);

export function readMark(entry: Entry | undefined): Mark | undefined {
  if (entry?.mark?.startsWith(prefix) !== true) return undefined;
  return JSON.parse(entry.mark.slice(prefix.length)) as Mark;
}

export const isOf = (mark: Mark, owner: Owner): boolean =>
  mark.instance === owner.instance && mark.credential === owner.credential;

/** Ours and as we left it: a person who revives a slot that we ended has made a stranger of it. */
export function isOurs(entry: Entry | undefined, owner: Owner): boolean {
  const mark = readMark(entry);
  return mark !== undefined && isOf(mark, owner) && (mark.isEnded !== true || entry?.secret === undefined);
}

export function assertTurn(mark: Mark | undefined, claim: Claim): void {
  if (mark !== undefined && compareClaims(claim, mark.claim) < 0)
    throw new PermanentError("claim_outdated", "A newer attempt has changed this version. Nothing was done.");
}

export function noRoom(): never {
  throw new OperatorNeededError("no_free_slot", "Every slot holds a version that must stay. End one by hand first.");
}

export function notOurs(): never {
  throw new PermanentError("handle_taken", "The version at the issuer carries no mark of ours. Look who made it.");
}

/** Turns the server's faults into ours, without its text. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ServerFault)) throw error;
    if (error.fault === "down") throw new TransientError("issuer_unreachable", "Nobody answers. Is the server up?");
    if (error.fault === "denied")
      throw new OperatorNeededError("right_missing", "The connection may not change logins. Grant it that right.");
    if (error.fault === "admin_refused")
      throw new OperatorNeededError("issuer_auth_failed", "The connection's secret is refused. Store the right one.");
    if (error.fault === "full") noRoom();
    throw new OperatorNeededError("principal_missing", "The login does not exist. Create it.");
  }
}
