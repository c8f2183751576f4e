import type { Client } from "@temporalio/client";
import { brokenDeaths } from "./oracle-audit.ts";
import { notEnded, openIntents, withLedger, type AskLedger, type Books } from "./oracle-books.ts";
import { wrongKept } from "./oracle-custody.ts";
import { leakedSecrets } from "./oracle-secrets.ts";
import { strangers, wrongInForce } from "./oracle.ts";
import type { Registered } from "./registered.ts";
import type { ShopReport, ShopTrouble } from "./shop.ts";
import type { World } from "./world.ts";

/** A version's login as custody had it when it was called leaked. */
export interface LeakedLogin {
  readonly number: number;
  readonly user: string;
  readonly password: string;
}

export interface Met {
  readonly world: World;
  readonly temporal: Client;
  readonly orders: Registered;
  readonly order: Books["order"];
  readonly contain: boolean;
  readonly leaked: readonly LeakedLogin[];
}

interface Scene extends Met {
  readonly ledger: AskLedger;
}

/**
 * Looks at a credential when its emergency is closed: what has leaked is dead and nobody was given it, the consumer runs on
 * something clean, and nothing is left open. Sentences, each with its invariant; none when all is well.
 */
export async function consultEmergencyOracle(met: Met): Promise<readonly string[]> {
  const { world, orders, leaked } = met;
  const { credentialId, shop } = orders;
  return withLedger(world.ledgerUrl, async (ledger) => {
    const scene: Scene = { ...met, ledger };
    const { held } = shop.report();
    const booked = await booksOf(scene);
    const found = [
      ...(await Promise.all(booked.map(async (books) => [...(await notEnded(books)), ...(await openIntents(books))]))),
      await notClosed(scene),
      await notRefused(scene),
      await deliveredLeaked(scene),
      await strangers({ world, orders, ledger }),
      await wrongInForce({ world, orders, held }),
      await onLeaked(scene, held.at(-1)),
      await sessionsLeft(scene, held.at(-1)?.user),
      await wrongKept({ ledger, credentialId, world }),
    ];
    // The sentinel works until here, so that it would notice what a late attempt of the dead worker breaks.
    const report = await shop.close();
    const passwords = [...leaked, ...report.held].map(({ password }) => password);
    const secrets = [orders.password, orders.adminPassword, ...passwords];
    found.push(await noticed(scene, report), await brokenDeaths(scene, booked));
    for (const books of booked) found.push(await leakedSecrets(books, secrets));
    return found.flat();
  });
}

/** Each rotation of the credential, as what it ended. */
async function booksOf({ ledger, world, temporal, orders, order }: Scene): Promise<readonly Books[]> {
  const rows = await ledger("SELECT id, outcome FROM rotations WHERE credential_id = $1 ORDER BY id", [
    orders.credentialId,
  ]);
  const { credentialId } = orders;
  return rows.map(({ id, outcome: ended }) => {
    const outcome = ended === "undone" ? "undone" : "proven";
    return { world, temporal, credentialId, rotationId: String(id), order, outcome, ledger };
  });
}

async function notClosed({ ledger, orders }: Scene): Promise<readonly string[]> {
  const rows = await ledger("SELECT outcome FROM emergencies WHERE credential_id = $1", [orders.credentialId]);
  const breaches = rows.length === 0 ? ["invariant 11: the emergency is not in the ledger."] : [];
  for (const { outcome } of rows)
    if (outcome !== "proven") breaches.push(`invariant 11: the emergency ended as ${String(outcome)}.`);
  const joined = await ledger(
    `SELECT r.to_version AS made FROM audit a JOIN rotations r ON r.id = a.rotation_id
     JOIN emergencies e ON e.id = a.details ->> 'emergency'
     WHERE a.credential_id = $1 AND r.to_version = ANY(e.versions)
       AND a.action IN ('emergency.joined', 'emergency.upgraded', 'emergency.turned-forward')`,
    [orders.credentialId],
  );
  for (const { made } of joined)
    breaches.push(`invariant 11: what makes version ${String(made)} was made use of although that has leaked.`);
  return breaches;
}

async function notRefused({ world, orders, leaked, ledger }: Scene): Promise<readonly string[]> {
  const breaches = leaked.length === 0 ? ["invariant 11: nothing is known that has leaked."] : [];
  for (const { number, user, password } of leaked) {
    const answer = await world.issuer.logsIn(user, password, orders.database);
    if (answer !== "28P01") breaches.push(`invariant 11: version ${number} has leaked and is answered with ${answer}.`);
  }
  const alive = await ledger(
    `SELECT number, state FROM versions WHERE credential_id = $1 AND compromised_at IS NOT NULL AND state <> 'proven-dead'`,
    [orders.credentialId],
  );
  for (const { number, state } of alive)
    breaches.push(`invariant 11: version ${String(number)} has leaked and is ${String(state)}.`);
  return breaches;
}

/** An intent counts: nobody can say that it was not carried out. */
async function deliveredLeaked({ ledger, orders }: Scene): Promise<readonly string[]> {
  const rows = await ledger(
    `SELECT d.version FROM deliveries d JOIN rotations r ON r.id = d.rotation_id
     JOIN versions v ON v.credential_id = r.credential_id AND v.number = d.version
     WHERE r.credential_id = $1 AND d.created_at > v.compromised_at`,
    [orders.credentialId],
  );
  return rows.map(({ version }) => `invariant 10: version ${String(version)} was delivered although it had leaked.`);
}

async function onLeaked(
  { leaked }: Scene,
  last: { readonly user: string; readonly password: string } | undefined,
): Promise<readonly string[]> {
  const found = leaked.find(({ user, password }) => user === last?.user && password === last.password);
  return found === undefined ? [] : [`invariant 11: the consumer's file holds version ${found.number}, which leaked.`];
}

/** On the other login of a pair nobody is left; in one slot nobody from before what is in force. */
async function sessionsLeft({ world, orders, order, ledger }: Scene, current?: string): Promise<readonly string[]> {
  const [live] = await ledger(
    "SELECT effective_at FROM versions WHERE credential_id = $1 AND state = 'live' ORDER BY number DESC LIMIT 1",
    [orders.credentialId],
  );
  const breaches = [];
  for (const login of orders.logins) {
    if (order === "overlap" && login === current) continue;
    // Of a value that a person set nobody knows since when it is.
    if (order === "single-slot" && typeof live?.["effective_at"] !== "string") continue;
    const since = order === "single-slot" ? `AND backend_start < '${String(live?.["effective_at"])}'` : "";
    const [row] = await world.issuer.ask(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = '${login}' ${since}`,
    );
    if (row?.["count"] !== 0) breaches.push(`invariant 5: ${String(row?.["count"])} sessions of ${login} are left.`);
  }
  return breaches;
}

/** A consumer breaks only where that was announced, and only between the end of what it ran on and its next delivery. */
async function noticed(scene: Scene, report: ShopReport): Promise<readonly string[]> {
  if (report.logins < 10)
    return [`invariant 1: the sentinel logged in only ${report.logins} times; it has seen nothing.`];
  const { order, contain } = scene;
  const windows = order === "overlap" && !contain ? [] : await outagesOf(scene);
  const isAllowed = ({ code, beganAt }: ShopTrouble) =>
    refusals.has(code) && windows.some(({ from, until }) => beganAt > from && beganAt < until);
  return report.troubles
    .filter((trouble) => !isAllowed(trouble))
    .map(({ code, held }) => `invariant 1: with the login ${held + 1} in its file the application met ${code}.`);
}

/** What the driver says of a session that was ended between two statements. */
const endedBetween = "Error: Client has encountered a connection error and is not queryable";
/** A wrong password, a login that ended between the two halves of logging in, a session that was ended. */
const refusals: ReadonlySet<string> = new Set(["28P01", "28000", "57P01", endedBetween]);

/** A round that had begun just before is refused too. Milliseconds. */
const roundMs = 1_000;

/**
 * From the intent that ends a version until the consumer has been given the next one. A slot that is cut back gives it what
 * it had before, until the cut back is done.
 */
async function outagesOf({ ledger, orders }: Scene): Promise<readonly { from: number; until: number }[]> {
  const rows = await ledger(
    `WITH done AS (
       SELECT o.* FROM operations o JOIN rotations r ON r.id = o.rotation_id WHERE r.credential_id = $1
     )
     SELECT extract(epoch FROM o.created_at)::float8 * 1000 AS from, extract(epoch FROM greatest(
       CASE WHEN o.step = 'cut-back' THEN o.done_at END,
       (SELECT min(d.done_at) FROM done d
        WHERE d.step IN ('deliver', 'restore') AND d.target <> '' AND d.done_at > o.created_at)))::float8 * 1000 AS until
     FROM done o WHERE o.step IN ('revoke', 'cut', 'end', 'cut-back')`,
    [orders.credentialId],
  );
  return rows.map(({ from, until }) => ({ from: Number(from) - roundMs, until: until === null ? 0 : Number(until) }));
}
