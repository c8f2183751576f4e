import { setTimeout as sleep } from "node:timers/promises";
import { OperatorNeededError, PermanentError, type RekeyError } from "../../../domain/errors.ts";
import type { EffectRequest } from "../../contract/issuer.ts";
import type { Value } from "../../contract/value.ts";
import type { Work } from "./admin.ts";
import { readRole, type Role } from "./catalogue.ts";
import { clockAfter, marking, passwordOption, placeIn, remark, standing } from "./effects.ts";
import { behindFence, isHeld } from "./fence.ts";
import type { Place } from "./handle.ts";
import { assertTurn, type Mark } from "./mark.ts";
import { ident } from "./quoting.ts";
import { effect } from "./rights.ts";
import { isPair, type Scope } from "./scope.ts";
import { endHolders, endNewcomers, endSessions, sessionsIn } from "./sessions.ts";
import { isForeign, ownMark } from "./slots.ts";

/** Refused, and restorable: the verifier stays, and so do the sessions. */
export async function disableVersion(scope: Scope, request: EffectRequest): Promise<void> {
  const place = placeIn(scope, request.handle);
  await change(scope, `disabling ${request.handle}`, place, async (work, role) => {
    mustBeThere(role, place, scope, request);
    const state = ownMark(role, scope.owner)?.state === "ended" ? "ended" : "disabled";
    const mark = marking(role, scope, { ...named(role, place, scope, request), state });
    await work.run(`ALTER ROLE ${ident(role.name)} NOLOGIN; ${mark}`);
    await assertLogin(work, role.name, false);
  });
}

/** Back as it was. The value is set again where it is known: a session that survived could have given itself another. */
export async function enableVersion(scope: Scope, request: EffectRequest & { readonly value?: Value }): Promise<void> {
  const place = placeIn(scope, request.handle);
  const password = request.value === undefined ? "" : await passwordOption(request.value, place);
  await change(scope, `enabling ${request.handle}`, place, async (work, role) => {
    mustBeThere(role, place, scope, request);
    if (ownMark(role, scope.owner)?.state === "ended")
      throw new PermanentError("handle_taken", `${request.handle} was ended, which nothing takes back.`);
    const mark = marking(role, scope, { ...named(role, place, scope, request), state: "live" });
    await work.run(`ALTER ROLE ${ident(role.name)} LOGIN ${password}; ${mark}`);
    await assertLogin(work, role.name, true);
  });
}

/** Ended for good: no login, no password, no session. */
export async function revokeVersion(scope: Scope, request: EffectRequest): Promise<void> {
  const place = placeIn(scope, request.handle);
  const isThere = await changeIfThere(scope, `revoking ${request.handle}`, place, request, async (work, role) => {
    const found = standing(role, place, scope, request.claim);
    // In a single slot the newer value took the place of this one: it is ended already.
    if (found === "later" && !isPair(scope)) return false;
    if (found !== "there") throw otherVersion(request.handle);
    await work.run(ending(role, place, scope, request));
    await assertLogin(work, role.name, false);
    return true;
  });
  if (isThere === true) await endSessions(scope, request);
}

type Abandoning = EffectRequest & { readonly restore?: { readonly handle: string; readonly value: Value } };

interface Abandoned {
  readonly effectiveAt?: string;
  /** The sessions that were in before the former value came back; absent when it was back already. */
  readonly seen?: ReadonlySet<string>;
  readonly isEnded?: true;
}

/** Ends a candidate that nobody needs, or keeps one that is still on its way from ever landing. */
export async function abandonVersion(
  scope: Scope,
  request: Abandoning,
): Promise<void | { readonly effectiveAt: string }> {
  const place = placeIn(scope, request.handle);
  const restored = request.restore === undefined ? undefined : await restoring(scope, place, request.restore);
  const done = await changeIfThere<Abandoned>(
    scope,
    `abandoning ${request.handle}`,
    place,
    request,
    async (work, role) => {
      const mark = ownMark(role, scope.owner);
      // The slot is not ours: the candidate cannot be there, nor can it land, since issuing refuses such a slot.
      if (isForeign(role, scope.owner)) return {};
      if (mark === undefined && isPair(scope) && role.canLogin) throw unmarked(role, place, scope, request);
      if (mark !== undefined) assertTurn(mark, request.claim);
      if (mark?.version === place.version && restored !== undefined) {
        const seen = await sessionsIn(work, role.name);
        // Read before the commit, so that an application that is back at once counts as back.
        const effectiveAt = await clockAfter(work);
        await work.run(setFormer(role, scope, request, restored, effectiveAt));
        return { effectiveAt, seen };
      }
      if (mark?.version === place.version) {
        await work.run(ending(role, place, scope, request));
        return { isEnded: true };
      }
      if (mark === undefined || mark.version < place.version)
        await outdate(work, role, place, scope, request, restored);
      // A repeat finds the former value back already, or it was never replaced.
      return restored === undefined ? {} : inForceSince(mark, restored.place);
    },
  );
  if (done?.isEnded === true && isPair(scope)) await endSessions(scope, request);
  if (done?.effectiveAt === undefined) return;
  if (done.seen !== undefined) await endUndecided(scope, place, request, done.seen);
  return { effectiveAt: done.effectiveAt };
}

/** The candidate after its comment was wiped, or a stranger: nobody but a person can tell, and neither may pass for ended. */
function unmarked(role: Role, place: Place, scope: Scope, { handle, claim, operationKey }: Abandoning): RekeyError {
  const name = ident(role.name);
  return new OperatorNeededError(
    "handle_taken",
    `The role ${name} can log in and carries no mark of ours: whether it holds ${handle} cannot be said. Nothing was done. If somebody changed its comment, put the mark back; if somebody else gave it a password, end that. Then retry.\n${remark(role, place, scope, claim, { operationKey })}\n-- or: ALTER ROLE ${name} NOLOGIN PASSWORD NULL;`,
  );
}

/** Milliseconds between the looks for sessions that had begun before the change and are let in after it. */
const looksAfterMs = [0, 100, 400, 1_000];

async function endUndecided(
  scope: Scope,
  place: Place,
  request: EffectRequest,
  seen: ReadonlySet<string>,
): Promise<void> {
  let before: string | undefined;
  for (const waitMs of looksAfterMs) {
    await sleep(waitMs, undefined, { signal: scope.signal });
    await changeIfThere(scope, "ending sessions", place, request, async (work, role) => {
      const mark = ownMark(role, scope.owner);
      if (mark !== undefined) assertTurn(mark, request.claim);
      before ??= await clockAfter(work);
      await endNewcomers(work, scope, place.role, { seen, before });
    });
  }
}

/** The candidate never came into force. A call that would set it may still be on its way: it must not land. */
async function outdate(
  work: Work,
  role: Role,
  place: Place,
  scope: Scope,
  request: EffectRequest,
  restored: { readonly place: Place } | undefined,
): Promise<void> {
  if (isPair(scope)) {
    if (!role.canLogin) await work.run(ending(role, place, scope, request));
    return;
  }
  const mark = ownMark(role, scope.owner);
  const version = mark?.version ?? restored?.place.version ?? 0;
  await work.run(marking(role, scope, { version, state: mark?.state ?? "live", claim: request.claim }));
}

/** Since when the former version is in its slot, as its mark says; a login without one holds what a person set. */
function inForceSince(mark: Mark | undefined, { version }: Place): { readonly effectiveAt?: string } {
  if ((mark?.version || 1) !== version) return {};
  return { effectiveAt: mark?.at ?? new Date(0).toISOString() };
}

async function restoring(scope: Scope, candidate: Place, restore: { readonly handle: string; readonly value: Value }) {
  const place = placeIn(scope, restore.handle);
  if (isPair(scope) || place.role !== candidate.role || place.version >= candidate.version)
    throw new PermanentError("value_unfit", "Only the former value of the same login can be set again.");
  return { place, password: await passwordOption(restore.value, place) };
}

function setFormer(
  role: Role,
  scope: Scope,
  { claim }: EffectRequest,
  to: { readonly place: Place; readonly password: string },
  at: string,
): string {
  const mark = marking(role, scope, { version: to.place.version, state: "live", claim, at });
  return `ALTER ROLE ${ident(role.name)} LOGIN ${to.password}; ${mark}`;
}

function ending(role: Role, place: Place, scope: Scope, request: EffectRequest): string {
  const mark = marking(role, scope, { ...named(role, place, scope, request), state: "ended" });
  return `ALTER ROLE ${ident(role.name)} NOLOGIN PASSWORD NULL; ${mark}`;
}

/** The mark's own key stays: it names the version. One that we did not make gets the key of the call. */
function named(role: Role, place: Place, scope: Scope, { operationKey, claim }: EffectRequest) {
  const former = ownMark(role, scope.owner);
  return {
    version: place.version,
    claim,
    operationKey: former?.version === place.version ? former.operationKey : operationKey,
  };
}

function mustBeThere(role: Role, place: Place, scope: Scope, request: EffectRequest): void {
  if (standing(role, place, scope, request.claim) !== "there") throw otherVersion(request.handle);
}

const otherVersion = (handle: string): PermanentError =>
  new PermanentError("handle_taken", `The login of ${handle} holds another version. Nothing was done.`);

async function assertLogin(work: Work, name: string, canLogin: boolean): Promise<void> {
  const role = await readRole(work, name);
  if (role?.canLogin === canLogin) return;
  throw new OperatorNeededError(
    "right_missing",
    `The server did not change whether ${ident(name)} may log in. Look for an extension that forbids it.`,
  );
}

function change<T>(
  scope: Scope,
  doing: string,
  place: Place,
  body: (work: Work, role: Role) => Promise<T>,
): Promise<T> {
  return effect(scope, doing, (work) => behindFence(work, place.role, (role) => body(work, role)));
}

/** For what ends a version: `undefined` when there is no such role, which nobody can log in with either. */
function changeIfThere<T>(
  scope: Scope,
  doing: string,
  place: Place,
  { claim }: EffectRequest,
  body: (work: Work, role: Role) => Promise<T>,
): Promise<T | undefined> {
  return effect(scope, doing, async (work) => {
    if ((await readRole(work, place.role)) === undefined) return undefined;
    const fenced = () => behindFence(work, place.role, (role) => body(work, role));
    try {
      return await fenced();
    } catch (error) {
      if (!isHeld(error) || !(await endHolders(work, scope, place, claim))) throw error;
      return fenced();
    }
  });
}
