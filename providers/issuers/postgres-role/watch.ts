import { setTimeout as pause } from "node:timers/promises";
import { openAdmin, type Admin, type Row } from "./admin.ts";
import { besideOwn } from "./own-backends.ts";
import type { WatchSpan } from "../../contract/issuer.ts";
import type { Scope } from "./scope.ts";

/** Between two looks of the server at itself. */
const betweenLooksMs = 25;
/** Whoever stays so long is seen by one look at least. */
export const watchedStayMs = 2 * betweenLooksMs;
/** So many looks at most are one statement, so that neither the way to the server nor a busy worker leaves holes. */
const looksAtOnce = 40;
const looksWhileNobodyWaits = 10;
/** For so long it goes on after nobody asked, and so long what was seen is kept: a step looks again within that. */
const lingerMs = 3_000;

/** A session that was there at some time. */
export interface Sighting extends Row {
  readonly pid: number;
  readonly role: string;
  readonly database: string | null;
  readonly address: string | null;
  readonly application: string | null;
  /** Milliseconds since 1970, rounded down; null where the right to see it is missing. */
  readonly started: number | null;
}

/**
 * The server looks at its sessions again and again within one statement. That each look is a new one needs both: the
 * snapshot of the statement is given up, and the function's argument depends on the look, so that it is called anew.
 * https://www.postgresql.org/docs/18/monitoring-stats.html#MONITORING-STATS-VIEWS
 */
const looks = `
  SELECT seen.pid, pg_get_userbyid(seen.usesysid)::text AS role, d.datname::text AS database, seen.address,
    seen.application, seen.started
  FROM (
    SELECT DISTINCT a.pid, a.usesysid, a.datid, coalesce(host(a.client_addr), 'local') AS address,
      a.application_name AS application, floor(extract(epoch FROM a.backend_start) * 1000)::float8 AS started
    FROM generate_series(1, $2::int) AS look (n)
    CROSS JOIN LATERAL (
      SELECT pg_sleep(CASE WHEN look.n > 1 THEN $3::float8 / 1000 END), pg_stat_clear_snapshot()
    ) AS paused
    CROSS JOIN LATERAL pg_stat_get_activity(CASE WHEN paused IS NULL THEN look.n END) AS a
    WHERE a.usesysid = ANY (SELECT oid FROM pg_roles WHERE rolname = ANY($1::text[]))
      AND a.backend_type IN ('client backend', 'walsender')
  ) seen LEFT JOIN pg_database d ON d.oid = seen.datid`;

interface Watch {
  /** Until when somebody wants to know of a role. */
  readonly wanted: Map<string, number>;
  /** Until when each caller waits. */
  readonly waiting: Set<{ readonly until: number }>;
  /** Who was seen, and when last; ours left out. */
  readonly seen: Map<string, { readonly sighting: Sighting; readonly at: number }>;
  /** Of the statement that runs; rejects with what ended the watch. */
  round: Promise<void>;
}

/** One for each server and login, whoever asks, so that ten rotations at one server cost it no more than one. */
const watches = new Map<string, Watch>();

/** Whoever is on one of these roles within the time to come, and was within the time before as far as it was watched. */
export async function watchRoles(
  scope: Scope,
  roles: readonly string[],
  { forMs, backMs }: WatchSpan,
): Promise<readonly Sighting[]> {
  const { host, port, user, database } = scope.connection;
  const key = JSON.stringify([host, port, user, database]);
  const from = performance.now() - Math.min(backMs, lingerMs);
  const until = performance.now() + forMs;
  const watch = watches.get(key) ?? begin(key, scope);
  for (const role of roles) watch.wanted.set(role, Math.max(until + lingerMs, watch.wanted.get(role) ?? 0));
  const waiter = { until };
  watch.waiting.add(waiter);
  try {
    // The statement that runs now does not know of these roles yet, unless somebody has asked for them just before.
    do await watch.round;
    while (performance.now() < until && !scope.signal.aborted);
  } finally {
    watch.waiting.delete(waiter);
  }
  return [...watch.seen.values()]
    .filter(({ sighting, at }) => at >= from && roles.includes(sighting.role))
    .map(({ sighting }) => sighting);
}

function begin(key: string, { connection, adminPassword }: Scope): Watch {
  const ended = new AbortController();
  // One login for all who watch: it is on nobody's budget.
  const admin = openAdmin(connection, adminPassword, { signal: ended.signal });
  const watch: Watch = { wanted: new Map(), waiting: new Set(), seen: new Map(), round: Promise.resolve() };
  watches.set(key, watch);
  const run = async (): Promise<void> => {
    try {
      for (;;) {
        watch.round = lookOnce(watch, admin, connection);
        await watch.round;
        forget(watch);
        if (watch.wanted.size === 0) return;
      }
    } catch {
      // Whoever waits for the round has the same error, and says what it means.
    } finally {
      watches.delete(key);
      await admin.close().catch(() => undefined);
      ended.abort();
    }
  };
  // Whoever began it has said by then what it is about.
  watch.round = pause(0);
  void watch.round.then(run);
  return watch;
}

/** No longer than the first of those who wait. */
function howMany({ waiting }: Watch): number {
  if (waiting.size === 0) return looksWhileNobodyWaits;
  const restMs = Math.min(...[...waiting].map(({ until }) => until)) - performance.now();
  return Math.min(Math.max(Math.ceil(restMs / betweenLooksMs) + 1, 2), looksAtOnce);
}

async function lookOnce(watch: Watch, admin: Admin, connection: Scope["connection"]): Promise<void> {
  const roles = [...watch.wanted.keys()];
  // No later than any of what is seen: nobody is told of what was before the time that they ask for.
  const at = performance.now();
  const look = async () =>
    admin.work("watching the sessions", async (work) =>
      work.ask<Sighting>(looks, [roles, howMany(watch), betweenLooksMs]),
    );
  const { seen, isOwn } = await besideOwn(connection, look);
  for (const sighting of seen.filter(({ pid, started }) => started !== null && !isOwn(pid))) {
    const name = `${sighting.pid}/${sighting.started}`;
    // In its first moment a session has not said yet what it calls itself.
    const known = sighting.application === "" ? watch.seen.get(name)?.sighting : undefined;
    watch.seen.set(name, { sighting: known ?? sighting, at });
  }
}

function forget({ wanted, seen }: Watch): void {
  const now = performance.now();
  for (const [role, until] of wanted) if (until < now) wanted.delete(role);
  // What a waiter is still to be told is younger than the longest time that anybody waits.
  for (const [name, { at }] of seen) if (at < now - keptMs) seen.delete(name);
}

/** Longer than anybody watches at once, and what came before. */
const keptMs = 60_000;
