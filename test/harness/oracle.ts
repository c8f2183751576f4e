import type { Client } from "@temporalio/client";
import { brokenAudit } from "./oracle-audit.ts";
import { notEnded, openIntents, withLedger, type Books } from "./oracle-books.ts";
import { wrongKept, wrongValue } from "./oracle-custody.ts";
import { leakedSecrets } from "./oracle-secrets.ts";
import { noticedTrouble } from "./oracle-sentinel.ts";
import type { Registered } from "./registered.ts";
import type { World } from "./world.ts";

/** One rotation that has ended, and what it should have ended as. */
export interface Ended {
  readonly world: World;
  readonly temporal: Client;
  readonly orders: Registered;
  readonly rotationId: string;
  readonly order: "overlap" | "single-slot";
  readonly outcome: "proven" | "undone";
}

/** What the checks of the oracle look at. */
export interface Scene extends Ended, Books {
  readonly world: World;
  readonly held: readonly { readonly user: string; readonly password: string }[];
}

/**
 * Looks at a rotation from outside: logs in by itself, lists behind the provider's back, reads the ledger by plain SQL.
 * Nothing of the product is asked except the verifier of the audit trail, which has its own tests. Answers with what is
 * wrong, each sentence beginning with the number of its invariant.
 */
export async function consultOracle(ended: Ended): Promise<readonly string[]> {
  const { shop, credentialId } = ended.orders;
  return withLedger(ended.world.ledgerUrl, async (ledger) => {
    const scene: Scene = { ...ended, ledger, credentialId, held: shop.report().held };
    const open = [...(await notEnded(scene)), ...(await openIntents(scene))];
    const breaches = [
      await strangers(scene),
      await wrongInForce(scene),
      await wrongKept(scene),
      await wrongValue(scene, [scene.held.at(-1)?.password ?? ""]),
      await notDead(scene),
    ];
    // The sentinel works until here, so that it would notice what a late attempt of the dead worker breaks.
    const report = await shop.close();
    const rest = [
      await noticedTrouble(scene, report),
      await leakedSecrets(scene, secretsOf(scene)),
      await brokenAudit(scene),
    ];
    return [...open, ...breaches.flat(), ...rest.flat()];
  });
}

const secretsOf = ({ orders, held, world }: Scene): readonly string[] => [
  ...world.elsewhere.flatMap(({ secrets }) => secrets),
  orders.password,
  orders.adminPassword,
  ...held.map(({ password }) => password),
];

/** The roles that can log in, as their server lists them, against the versions that the ledger calls live. */
export async function strangers({
  world,
  orders,
  ledger,
}: Pick<Scene, "world" | "orders" | "ledger">): Promise<readonly string[]> {
  const mark = orders.applicationName.replace("shop-", "");
  const roles = await world.issuer.ask(
    `SELECT rolname, rolcanlogin AND rolpassword IS NOT NULL AS open, shobj_description(oid, 'pg_authid') AS comment
     FROM pg_authid WHERE rolname LIKE '%\\_${mark}' AND rolname <> 'admin_${mark}' ORDER BY rolname`,
  );
  const versions = await ledger("SELECT handle, number FROM versions WHERE credential_id = $1 AND state = 'live'", [
    orders.credentialId,
  ]);
  const numbers = new Map(versions.map(({ handle, number }) => [String(handle).replace(/\/\d+$/, ""), Number(number)]));
  const seen = roles.filter(({ open }) => open === true);
  const logins = seen.map(({ rolname }) => String(rolname));
  const live = [...numbers.keys()].toSorted();
  const known = new Set([orders.owner, ...orders.logins]);
  const breaches = roles
    .filter(({ rolname }) => !known.has(String(rolname)))
    .map(({ rolname }) => `invariant 2: the role ${String(rolname)} is nobody's.`);
  if (logins.join() !== live.join())
    breaches.push(`invariant 2: ${logins.join(" and ")} can log in, and the ledger calls live: ${live.join(" and ")}.`);
  for (const { rolname, comment } of seen) {
    const text = /rekey:(\{.*\})/.exec(String(comment))?.[1];
    // A value that a person had made carries no mark, or number 0, where rekey has not made it.
    if (text === undefined) continue;
    const { state, version } = JSON.parse(text) as { readonly state?: unknown; readonly version?: unknown };
    if (state !== "live")
      breaches.push(`invariant 2: ${String(rolname)} can log in, and its mark says ${String(state)}.`);
    if ((version === 0 ? 1 : version) !== numbers.get(String(rolname)))
      breaches.push(`invariant 2: the mark of ${String(rolname)} names version ${String(version)}.`);
  }
  return breaches;
}

/** Whether what the consumer's place holds is what the issuer accepts, under the control of a wrong password. */
export async function wrongInForce({
  world,
  orders,
  held,
}: Pick<Scene, "world" | "orders" | "held">): Promise<readonly string[]> {
  const last = held.at(-1);
  if (last === undefined) return ["invariant 3: the consumer's file holds no login."];
  const { user, password } = last;
  const answer = await world.issuer.logsIn(user, password, orders.database);
  const control = await world.issuer.logsIn(user, `${password}x`, orders.database);
  const breaches = [];
  if (answer !== "accepted") breaches.push(`invariant 3: what the consumer's file holds is refused (${answer}).`);
  if (control !== "28P01") breaches.push(`invariant 3: a wrong password is answered with ${control}.`);
  return breaches;
}

/** Every login that the file held before the last one is refused, and nobody is in with it. */
async function notDead({ world, orders, held, order, ledger, rotationId }: Scene): Promise<readonly string[]> {
  const last = held.at(-1);
  const breaches = [];
  for (const { user, password } of held) {
    if (user === last?.user && password === last.password) continue;
    const answer = await world.issuer.logsIn(user, password, orders.database);
    if (answer !== "28P01") breaches.push(`invariant 5: the ended login of ${user} is answered with ${answer}.`);
  }
  const [cut] = await ledger(
    `SELECT v.effective_at FROM versions v JOIN rotations r ON r.credential_id = v.credential_id AND r.to_version = v.number
     WHERE r.id = $1`,
    [rotationId],
  );
  const since = order === "single-slot" ? `AND backend_start < '${String(cut?.["effective_at"])}'` : "";
  for (const login of orders.logins) {
    if (order === "overlap" && login === last?.user) continue;
    // In a slot that was cut back the sessions from before the cut were never wrong.
    if (order === "single-slot" && orders.password === last?.password) continue;
    const [row] = await world.issuer.ask(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = '${login}' ${since}`,
    );
    if (row?.["count"] !== 0) breaches.push(`invariant 5: ${String(row?.["count"])} sessions of ${login} are left.`);
  }
  return breaches;
}
