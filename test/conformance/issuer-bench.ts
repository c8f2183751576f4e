import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Claim } from "../../domain/claim.ts";
import type { EffectRequest, Issued, IssuerSession } from "../../providers/contract/issuer.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";
import { notApplicable } from "./applicability.ts";
import type { IssuerWorld, SeenVersion } from "./issuer-world.ts";

/** An answer of k in a row is an answer; one may come from a stale part of the issuer, where it has any. */
const inARow = ({ definition: { facts } }: IssuerWorld): number =>
  facts.activationLagMs + facts.deactivationLagMs > 0 ? 4 : 2;

export interface Intent {
  readonly version: number;
  readonly operationKey: string;
  readonly handle: string;
  readonly keep: readonly string[];
  readonly chosen?: Value;
}

export interface Made extends Issued {
  readonly intent: Intent;
}

const newKey = (): string => randomBytes(12).toString("hex");

let turn = 0;
/** Rises over the whole process, as claims of one credential do. */
export function nextClaim(): Claim {
  turn += 1;
  return { epoch: 1, number: turn };
}

/** One effect on a version, in an operation of its own unless told otherwise. */
export const effectOn = (handle: string, part: Partial<EffectRequest> = {}): EffectRequest => ({
  handle,
  operationKey: newKey(),
  claim: nextClaim(),
  ...part,
});

/** What the ledger and custody hold before the issuer is asked: number, key, and the value where we choose it. */
export async function intend(
  session: IssuerSession,
  version: number,
  keep: readonly string[],
  operationKey = newKey(),
): Promise<Intent> {
  if (session.choose === undefined) return { version, operationKey, handle: "", keep };
  const { handle, value } = await session.choose({ operationKey, version, keep });
  return { version, operationKey, handle, keep, chosen: value };
}

export async function issue(session: IssuerSession, intent: Intent, claim = nextClaim()): Promise<Made> {
  const { operationKey, handle, keep, chosen } = intent;
  const request = { operationKey, handle, keep, claim };
  return { ...(await session.issue(chosen === undefined ? request : { ...request, chosen })), intent };
}

export async function makeVersion(session: IssuerSession, version: number, keep: readonly string[]): Promise<Made> {
  return issue(session, await intend(session, version, keep));
}

/** Versions 1 and 2, both live. Ends the clause where only one can be. */
export async function makePair(world: IssuerWorld, session: IssuerSession): Promise<readonly [Made, Made]> {
  needsTwo(world);
  const first = await makeVersion(session, 1, []);
  return [first, await makeVersion(session, 2, [first.handle])];
}

export const isOverlap = (world: IssuerWorld): boolean => world.definition.orderOf(world.config) === "overlap";

export function needsTwo(world: IssuerWorld): void {
  if (!isOverlap(world)) notApplicable("one version lives at a time");
}

export async function assertLogin(world: IssuerWorld, value: Value, expected: "accepted" | "refused"): Promise<void> {
  await world.settle();
  for (let asked = 0; asked < inARow(world); asked++)
    assert.equal(await world.logsIn(value), expected, `the outside witness must be ${expected}`);
}

export async function seen(world: IssuerWorld, value: Value): Promise<SeenVersion | undefined> {
  const name = world.nameOf(value);
  return (await world.listBehindBack()).find((version) => version.name === name);
}

/** Runs something and says whether it left every login (or that of one value) as it was. */
export async function assertUntouched(
  world: IssuerWorld,
  work: () => Promise<unknown>,
  of?: readonly Value[],
): Promise<void> {
  const names = of?.map((value) => world.nameOf(value));
  const look = async () =>
    (await world.listBehindBack()).filter(({ name }) => names === undefined || names.includes(name));
  const before = await look();
  if (names !== undefined) assert.equal(before.length, new Set(names).size, "a version is gone before its time");
  await work();
  assert.deepEqual(await look(), before, "a version that must not be touched is not what it was");
}

/** The same value with a secret nobody issued. */
export function wrongValue(world: IssuerWorld, value: Value): Value {
  const wrong = new Secret(randomBytes(24).toString("base64url"));
  return { ...value, [world.definition.authenticator]: wrong };
}

/** Like `wrongValue`, with a text that may be anything, even what a Secret refuses. */
export const withText = (world: IssuerWorld, value: Value, text: string | Secret<string>): Value => ({
  ...value,
  [world.definition.authenticator]: text,
});

export const authenticatorOf = (world: IssuerWorld, value: Value): string =>
  revealField(value, world.definition.authenticator);

export async function repeated<T>(world: IssuerWorld, work: () => Promise<T>): Promise<readonly T[]> {
  const answers: T[] = [];
  for (let asked = 0; asked < inARow(world); asked++) answers.push(await work());
  return answers;
}
