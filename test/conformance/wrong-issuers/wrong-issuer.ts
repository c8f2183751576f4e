import type { EffectRequest } from "../../../providers/contract/issuer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { revealField, type Value } from "../../../providers/contract/value.ts";
import type { IssuerClauseName } from "../issuer-suite.ts";
import type { Shape, Twist } from "../reference/issuer-world.ts";
import { readMark, writeMark } from "../reference/mark.ts";
import type { Entry, ReferenceServer } from "../reference/server.ts";

/** A reference issuer with one small change, and the clause that must catch it. */
export interface WrongIssuer {
  readonly name: string;
  readonly shape: Shape;
  readonly caughtBy: IssuerClauseName;
  readonly twist: Twist;
}

export const nameIn = (handle: string): string => handle.split("#")[0] ?? handle;
const versionIn = (handle: string): number => Number(handle.split("#")[1]);
export const loginIn = (value: Value): string => revealField(value, "keyId" in value ? "keyId" : "username");
export const secretIn = (value: Value): string => revealField(value, "keyId" in value ? "secretKey" : "password");

/** Writes behind all of the reference's checks. */
export function force(server: ReferenceServer, name: string, part: Partial<Entry>): void {
  server.write(name, { enabled: false, ...server.read(name), ...part });
}

export function markOver(server: ReferenceServer, request: EffectRequest): string {
  const mark = readMark(server.read(nameIn(request.handle)));
  return writeMark({
    instance: "ins_reference",
    credential: "crd_reference",
    at: server.now(),
    ...mark,
    version: versionIn(request.handle),
    operationKey: request.operationKey,
    claim: request.claim,
    isEnded: false,
  });
}

/** Ends whatever is in the slot. */
export function clear(server: ReferenceServer, name: string): Promise<void> {
  force(server, name, { secret: undefined, enabled: false });
  return Promise.resolve();
}

export const someSecret = (): Secret<string> => new Secret(`not-what-was-chosen-${crypto.randomUUID()}`);
