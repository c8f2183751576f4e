import { setTimeout as sleep } from "node:timers/promises";
import type { Claim } from "../../../domain/claim.ts";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { EffectRequest, EndedSessions, SeenSession, Usage, WatchSpan } from "../../contract/issuer.ts";
import type { Work } from "./admin.ts";
import { readRoles, type Role } from "./catalogue.ts";
import { placeIn, standing } from "./effects.ts";
import { behindFence } from "./fence.ts";
import type { Place } from "./handle.ts";
import { besideOwn } from "./own-backends.ts";
import { ident } from "./quoting.ts";
import { effect } from "./rights.ts";
import { isPair, type Scope } from "./scope.ts";
import { ownMark } from "./slots.ts";
import { watchRoles, type Sighting } from "./watch.ts";

interface SessionRow extends Sighting {
  readonly isMeant: boolean | null;
}

/**
 * Sessions of these roles, ours left out. `usesysid` is the login, whatever role the session works as. Replication is a
 * session too. https://www.postgresql.org/docs/18/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
 */
async function readSessions(work: Work, scope: Scope, roles: readonly string[], span: Span = {}) {
  const { seen: rows, isOwn } = await besideOwn(scope.connection, () => readRows(work, roles, span));
  if (rows.some(({ started }) => started === null)) await assertSees(work, scope);
  // A row without a start is a session that ended while it was read.
  return rows.filter(({ pid, started }) => started !== null && !isOwn(pid));
}

/** From when to when sessions began: at or after the one time, before the other. Absent: any time. */
interface Span {
  readonly since?: string | undefined;
  readonly before?: string | undefined;
}

function readRows(work: Work, roles: readonly string[], { since, before }: Span = {}): Promise<readonly SessionRow[]> {
  return work.ask<SessionRow>(
    `SELECT pid, usename::text AS role, datname::text AS database, coalesce(host(client_addr), 'local') AS address,
       application_name AS application, floor(extract(epoch FROM backend_start) * 1000)::float8 AS started,
       backend_start >= $3::timestamptz AND backend_start < $2::timestamptz AS "isMeant"
     FROM pg_stat_activity
     WHERE usename = ANY($1::text[])
       AND (backend_type IS NULL OR backend_type IN ('client backend', 'walsender'))`,
    [[...roles], before ?? "infinity", since ?? "-infinity"],
  );
}

/** Without the right, sessions of others show neither address nor start, and could pass for something else. */
async function assertSees(work: Work, { connection }: Scope): Promise<void> {
  const [row] = await work.ask<{ sees: boolean }>("SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees");
  if (row?.sees === true) return;
  throw new OperatorNeededError(
    "right_missing",
    `The connection cannot see the sessions of other logins. Run: GRANT pg_monitor TO ${ident(connection.user)};`,
  );
}

/** Who is logged in by which version, and who was at any time of the watch. */
export async function watchUsage(scope: Scope, handles: readonly string[], span: WatchSpan): Promise<Usage> {
  const roles = [...new Set(handles.map((handle) => placeIn(scope, handle).role))];
  return readUsage(scope, handles, await watchRoles(scope, roles, span));
}

/** Who is logged in by which version, now; and of `passed`, who was before. */
export async function readUsage(
  scope: Scope,
  handles: readonly string[],
  passed: readonly Sighting[] = [],
): Promise<Usage> {
  const places = handles.map((handle) => ({ handle, place: placeIn(scope, handle) }));
  const names = [...new Set(places.map(({ place }) => place.role))];
  return scope.admin.work("reading the sessions", async (work) => {
    await assertSees(work, scope);
    const roles = await readRoles(work, names);
    const now = await readSessions(work, scope, names);
    const there = new Set(now.map(nameOf));
    const rows = [...passed.filter((sighting) => !there.has(nameOf(sighting))), ...now];
    const [clock] = await work.ask<{ ms: number }>(
      "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms",
    );
    const sessions = places.map(({ handle, place }) => [
      handle,
      rows.filter((row) => row.role === place.role && isOn(row, place, roles.get(place.role), scope)).map(asSeen),
    ]);
    return { at: new Date(clock?.ms ?? 0).toISOString(), sessions: Object.fromEntries(sessions) as Usage["sessions"] };
  });
}

/** In a pair, a login that holds a later version now was a former one's only for sessions begun before. */
function isOn({ started }: Sighting, place: Place, role: Role | undefined, scope: Scope): boolean {
  const mark = role === undefined ? undefined : ownMark(role, scope.owner);
  if (!isPair(scope) || mark === undefined || mark.version <= place.version) return true;
  return (started ?? 0) < Date.parse(mark.at);
}

const asSeen = (row: Sighting): SeenSession => ({
  principal: row.role,
  database: row.database ?? "",
  address: row.address ?? "local",
  applicationName: row.application ?? "",
  startedAt: new Date(row.started ?? 0).toISOString(),
});

/** Before any session. */
const longAgo = new Date(0).toISOString();

/** How long ended sessions may take to go before they are counted as remaining. */
const goneWithinMs = 2_000;

/** Ends the sessions of a version, those begun before a time only where one is given, and counts what remains. */
export async function endSessions(scope: Scope, request: EffectRequest & Span): Promise<EndedSessions> {
  const place = placeIn(scope, request.handle);
  return effect(scope, `ending the sessions of ${request.handle}`, async (work) => {
    const found = await readRoles(work, [place.role]);
    if (!found.has(place.role)) return { ended: 0, remaining: 0 };
    const { ended, span } = await behindFence(work, place.role, async (role) => {
      const meant = { since: request.since, before: untilWhen(role, place, scope, request) };
      return { ended: await terminate(work, scope, place.role, meant), span: meant };
    });
    return { ended, remaining: await remaining(work, scope, place.role, span) };
  });
}

const nameOf = ({ pid, started }: Sighting): string => `${pid}/${started}`;

/** Names the sessions that are in by now. A right to see more of them is asked for later: nothing waits for it here. */
export async function sessionsIn(work: Work, role: string): Promise<ReadonlySet<string>> {
  return new Set((await readRows(work, [role])).map(nameOf));
}

/**
 * Ends the sessions of a login that came in while its password was replaced, `before` being a time after that: of those
 * nobody can say by which of two passwords. A session begins long before it is let in, so that its start does not tell.
 * A client of the password that is in force reconnects.
 */
export async function endNewcomers(
  work: Work,
  scope: Scope,
  role: string,
  { seen, before }: { readonly seen: ReadonlySet<string>; readonly before: string },
): Promise<void> {
  const rows = await readSessions(work, scope, [role], { before });
  const newcomers = rows.filter((row) => row.isMeant === true && !seen.has(nameOf(row)));
  await endBackends(
    work,
    newcomers.map(({ pid }) => pid),
  );
}

/** Sessions that began before this are the version's; undefined: all that the login has. */
function untilWhen(
  role: Role,
  place: Place,
  scope: Scope,
  { claim, before }: EffectRequest & Span,
): string | undefined {
  const found = standing(role, place, scope, claim);
  if (found === "there") return before;
  // Nobody can have logged in by a version that never came into force.
  if (found === "former") return longAgo;
  return before !== undefined && !isPair(scope) ? before : ownMark(role, scope.owner)?.at;
}

async function terminate(work: Work, scope: Scope, role: string, span: Span): Promise<number> {
  const rows = (await readSessions(work, scope, [role], span)).filter(({ isMeant }) => isMeant === true);
  return endBackends(
    work,
    rows.map(({ pid }) => pid),
  );
}

/** https://www.postgresql.org/docs/18/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL */
async function endBackends(work: Work, pids: readonly number[]): Promise<number> {
  if (pids.length === 0) return 0;
  const ended = await work.ask<{ ended: boolean }>(
    "SELECT pg_terminate_backend(pid) AS ended FROM unnest($1::int[]) AS pid",
    [[...pids]],
  );
  return ended.filter((row) => row.ended).length;
}

/**
 * A login may change its own password, and whoever leaves that transaction open keeps everybody else from the role. Where
 * the version is ended anyway its writing sessions go first. While they hold the role no newer attempt can have come by.
 */
export async function endHolders(work: Work, scope: Scope, place: Place, claim: Claim): Promise<boolean> {
  const role = (await readRoles(work, [place.role])).get(place.role);
  if (role === undefined || standing(role, place, scope, claim) !== "there") return false;
  const rows = await work.ask<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND backend_xid IS NOT NULL",
    [place.role],
  );
  const ended = await endBackends(
    work,
    rows.map(({ pid }) => pid),
  );
  return ended > 0;
}

async function remaining(work: Work, scope: Scope, role: string, span: Span): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += 50) {
    const rows = (await readSessions(work, scope, [role], span)).filter(({ isMeant }) => isMeant === true);
    if (rows.length === 0 || waitedMs >= goneWithinMs) return rows.length;
    await sleep(50, undefined, { signal: scope.signal });
  }
}
