import { OperatorNeededError, PermanentError } from "../../../domain/errors.ts";
import type { ChooseRequest, Issued, IssueRequest } from "../../contract/issuer.ts";
import type { Value } from "../../contract/value.ts";
import type { Work } from "./admin.ts";
import { readRole, readRoles, type Role } from "./catalogue.ts";
import { isOverlap, slotsOf, type OverlapConfig } from "./config.ts";
import { clockAfter, marking, passwordOption, placeIn } from "./effects.ts";
import { behindFence } from "./fence.ts";
import { handleFor, placeOf, type Place } from "./handle.ts";
import { assertTurn, type Mark } from "./mark.ts";
import { newValue } from "./new-value.ts";
import { attributeChanges, pairStatements } from "./pair.ts";
import { ident } from "./quoting.ts";
import { effect } from "./rights.ts";
import type { Scope } from "./scope.ts";
import { isForeign, isRepeat, occupied, ownMark } from "./slots.ts";

/** Picks the slot for a new version and makes its value. Nothing is changed at the server. */
export async function chooseVersion(scope: Scope, request: ChooseRequest): Promise<{ handle: string; value: Value }> {
  const { config, connection, owner } = scope;
  const slots = slotsOf(config);
  const roles = await scope.admin.work("looking for a free slot", (work) => readRoles(work, slots));
  const mine = slots.find((name) => {
    const role = roles.get(name);
    return role !== undefined && isRepeat(ownMark(role, owner), request.version, request.operationKey);
  });
  const free = isOverlap(config)
    ? slots.find((name) => occupied(name, roles.get(name), owner, request.keep) === undefined)
    : config.login;
  const role = mine ?? free ?? noFreeSlot(scope, roles, request.keep);
  return { handle: handleFor({ role, version: request.version }), value: newValue(connection, config, role) };
}

function noFreeSlot({ config, owner }: Scope, roles: ReadonlyMap<string, Role>, keep: readonly string[]): never {
  const found = slotsOf(config).map((name) => occupied(name, roles.get(name), owner, keep));
  throw new OperatorNeededError(
    "no_free_slot",
    `${found.flatMap((each) => each?.why ?? []).join("; ")}. ${found.flatMap((each) => each?.mend ?? []).join(" ")}`.trim(),
  );
}

/** Puts the chosen value in its slot, makes the slot a full member of the pair, and marks it: one transaction. */
export async function issueVersion(scope: Scope, request: IssueRequest): Promise<Issued> {
  const place = placeIn(scope, request.handle);
  const { chosen } = request;
  if (chosen === undefined || !slotsOf(scope.config).includes(place.role))
    throw new PermanentError("value_unfit", "A version is issued with the value and the slot that were chosen for it.");
  const password = await passwordOption(chosen, place);
  return effect(scope, `issuing ${request.handle}`, async (work) => {
    await behindFence(work, place.role, async (role) => {
      if (mayIssue(role, place, scope, request) === "already") return;
      await work.run((await issuing(work, role, place, scope, request, password)).join("\n"));
    });
    // Read after the commit: a session that logged in by the former password began before this time.
    return { handle: request.handle, value: chosen, effectiveAt: await clockAfter(work) };
  });
}

function mayIssue(role: Role, place: Place, scope: Scope, request: IssueRequest): "now" | "already" {
  const { owner, config } = scope;
  const mark = ownMark(role, owner);
  if (mark !== undefined) assertTurn(mark, request.claim);
  if (isRepeat(mark, place.version, request.operationKey) && role.canLogin)
    return request.keep.includes(request.handle) ? "already" : "now";
  if (mark !== undefined) assertNext(mark, place, request);
  const found = isOverlap(config)
    ? occupied(place.role, role, owner, request.keep)
    : replaceable(role, scope, place, request);
  if (found === undefined) return "now";
  throw new OperatorNeededError("no_free_slot", `${found.why}. ${found.mend ?? ""}`.trim());
}

/** The version comes after the one in the slot, or is the same again after it was abandoned. */
function assertNext(mark: Mark, { version }: Place, { handle, operationKey }: IssueRequest): void {
  if (mark.version < version) return;
  if (mark.version > version)
    throw new PermanentError("claim_outdated", `The login of ${handle} held a later version. Nothing was done.`);
  if (mark.operationKey !== operationKey || mark.state !== "ended")
    throw new PermanentError("handle_taken", `Another operation holds ${handle}. Start a new rotation.`);
}

/** A single slot is never free: what lives in it is replaced, if it is ours or was adopted as it is. */
function replaceable(role: Role, scope: Scope, place: Place, { keep }: IssueRequest) {
  if (isForeign(role, scope.owner)) return occupied(place.role, role, scope.owner, []);
  const later = keep.find((handle) => placeOf(handle).version >= place.version);
  if (later !== undefined) return { why: `${place.role} holds the later version ${later}` };
  if (role.canLogin || ownMark(role, scope.owner)?.state === "ended") return undefined;
  return {
    why: `${place.role} was locked by somebody else`,
    mend: `ALTER ROLE ${ident(place.role)} LOGIN;`,
  };
}

async function issuing(
  work: Work,
  role: Role,
  place: Place,
  scope: Scope,
  { claim, operationKey, keep }: IssueRequest,
  password: string,
): Promise<readonly string[]> {
  const { config } = scope;
  const [now] = await work.ask<{ ms: number }>(
    "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms",
  );
  const at = new Date(now?.ms ?? 0).toISOString();
  const mark = marking(role, scope, { version: place.version, operationKey, claim, state: "live", at });
  if (!isOverlap(config)) return [`ALTER ROLE ${ident(role.name)} LOGIN ${password};`, mark];
  // Where nobody runs on anything else the login stays as its last version had it.
  const model =
    keep.length === 0 && ownMark(role, scope.owner) !== undefined ? role : await modelFor(work, config, keep);
  const options = attributeChanges(model, role).concat(
    model.connectionLimit === role.connectionLimit ? [] : [`CONNECTION LIMIT ${model.connectionLimit}`],
    // Our versions end by rotation; a date left on the login would end this one unseen.
    role.expires ? ["VALID UNTIL 'infinity'"] : [],
  );
  return [
    ...(await pairStatements(work, role, model, config.owner)),
    `ALTER ROLE ${ident(role.name)} LOGIN ${password} ${options.join(" ")};`,
    mark,
  ];
}

/** The login that consumers run on now, whose settings and limits the new one gets: of the newest version, else the owner. */
export async function modelFor(work: Work, config: OverlapConfig, keep: readonly string[]): Promise<Role> {
  const [newest] = keep.map(placeOf).sort((a, b) => b.version - a.version);
  const model =
    (newest === undefined ? undefined : await readRole(work, newest.role)) ?? (await readRole(work, config.owner));
  if (model !== undefined) return model;
  throw new OperatorNeededError(
    "principal_missing",
    `The role ${ident(config.owner)} does not exist. Create it again.`,
  );
}
