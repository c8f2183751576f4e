// How fast what has leaked is dead, while routine work waits, beside a bare script in the same run:
//   npm run bench -- --waiting 1000 --emergencies 200
// Nothing is asserted. Every time is seen at the issuer, from outside, and each death is tried by a login at the end.
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { join } from "node:path";
import { sql } from "kysely";
import pg from "pg";
import { defaultPolicy } from "../../domain/policy.ts";
import { declareFreeze } from "../../ledger/freezes.ts";
import { reserveRotations } from "../../ledger/reserve-rotations.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { withApi, type TestApi } from "../harness/api.ts";
import { makeAdmin, newSecret } from "../harness/postgres-issuer.ts";
import { registerCredential, type RegisteredCredential } from "../harness/register-credential.ts";
import { openWorld, untilLedger } from "../harness/world.ts";
import { runScript } from "./floor.ts";
import { processorTime } from "./processor-time.ts";
import { inLanes, logsIn, makePairs, type Login, type Pair } from "./roles.ts";

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "1000" },
    emergencies: { type: "string", default: "200" },
    perSecond: { type: "string", default: "5" },
  },
});
const waiting = Number(values.waiting);
const howMany = Number(values.emergencies);
const everyMs = 1_000 / Number(values.perSecond);

interface Known extends Pair {
  readonly credentialId: string;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const world = await openWorld({ issuer: { max_connections: "300" } });
try {
  await world.startWorker();
  const api = await (await withApi(world)).as("responder");
  const script = await makePairs(world.issuer, join(world.folder, "targets"), named("script", howMany));
  const [idle, leaked] = [await registered("waits", waiting), await registered("leaked", howMany)];
  if (idle.length > 0) await letWait(idle);
  say(`${waiting} routine rotations wait; ${howMany} credentials leak, all over one connection.`);
  for (const order of ["contain", "continuity"] as const) {
    say(`\n${order === "contain" ? "contain-first" : "continuity-first, consumers that reload at once"}`);
    await spent(async () => inTurn(api, order, leaked));
    const floorMs = await spent(async () => runScript(world.issuer, script, order));
    const ownMs = await spent(async () => atOnce(api, order, leaked));
    const rate = (ms: number) => (howMany / ms) * 1_000;
    say(
      `  ${howMany} at once: bare script ${rate(floorMs).toFixed(1)}/s, rekey ${rate(ownMs).toFixed(1)}/s until the last was`,
    );
    say(`  refused: ${((100 * rate(ownMs)) / rate(floorMs)).toFixed(0)} % of the script`);
  }
} finally {
  await world.close();
}

function named(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}_${at}`);
}

async function registered(prefix: string, count: number): Promise<readonly Known[]> {
  if (count === 0) return [];
  const pairs = await makePairs(world.issuer, join(world.folder, "targets"), named(prefix, count));
  const admin = { user: `admin_${prefix}`, password: newSecret() };
  await makeAdmin(
    world.issuer,
    admin,
    pairs.flatMap(({ owner, logins }) => [owner, ...logins]),
  );
  const [first, ...others] = pairs;
  const known: Known[] = [];
  const register = async (pair: Pair, beside?: RegisteredCredential): Promise<RegisteredCredential> => {
    const made = await registerOne(pair, admin, beside);
    known.push({ ...pair, credentialId: made.credentialId });
    return made;
  };
  if (first === undefined) return [];
  const beside = await register(first);
  await inLanes(others, 6, async (pair) => void (await register(pair, beside)));
  return known;
}

async function registerOne(
  pair: Pair,
  admin: Login,
  beside: RegisteredCredential | undefined,
): Promise<RegisteredCredential> {
  const { host, port } = world.issuer;
  const { user, password } = await pair.held();
  return registerCredential(world, {
    ...{ mark: pair.owner, kind: "postgres-role", order: "overlap", beside },
    connection: {
      settings: { host, port, database: "postgres", user: admin.user },
      secret: { password: new Secret(admin.password) },
      principal: admin.user,
    },
    config: { owner: pair.owner, logins: [...pair.logins], database: "postgres" },
    principals: [pair.owner, ...pair.logins],
    consumer: {
      ...{ name: pair.owner, kind: "file", target: `file:${pair.file}` },
      config: { path: pair.file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
      evidence: { wanted: "delivered", collectors: {} },
    },
    today: { username: user, password: new Secret(password) },
    policy: defaultPolicy,
  });
}

/** Routine rotations that have a candidate and may not deliver it: everything is frozen. */
async function letWait(idle: readonly Known[]): Promise<void> {
  const { ledger } = world;
  const until = new Date(Date.now() + 3_600_000);
  await declareFreeze(ledger, { teamId: null, environmentId: null, reason: "bench", until, actor: "tok_bench" });
  await reserveRotations(
    ledger,
    idle.map(({ credentialId }) => ({ credentialId, requestedBy: "tok_bench", reason: "due" })),
  );
  await untilLedger(async () => {
    await pause(1_000);
    const { rows } = await sql<{ left: number }>`
      SELECT count(*)::int AS left FROM rotations WHERE outcome IS NULL AND phase <> 'issued'`.execute(ledger.db);
    return rows[0]?.left === 0 ? true : undefined;
  });
}

async function declare(api: TestApi, known: readonly Known[], order: "contain" | "continuity"): Promise<void> {
  const credentials = known.map(({ credentialId }) => credentialId);
  const body = { credentials, reason: "found in a repository", contain: order === "contain" };
  const { status, text } = await api.ask("POST", "/emergencies", body);
  if (status !== 200) throw new Error(text);
}

/** So many a second, each by a call of its own: prints the quantiles from the call until the issuer refuses. */
async function inTurn(api: TestApi, order: "contain" | "continuity", known: readonly Known[]): Promise<void> {
  const logins = await Promise.all(known.map(async (one) => one.held()));
  const witness = await watch(logins);
  const called = new Map<string, number>();
  const beganAt = performance.now();
  const calls = known.map(async (one, at) => {
    await pause(Math.max(0, beganAt + at * everyMs - performance.now()));
    called.set(logins[at]?.user ?? "", performance.now());
    await declare(api, [one], order);
  });
  await Promise.all(calls);
  const refused = await witness.all();
  const tookMs = logins.map(({ user }) => (refused.get(user) ?? 0) - (called.get(user) ?? 0)).toSorted((a, b) => a - b);
  const at = (share: number) =>
    `${Math.round(tookMs[Math.min(tookMs.length - 1, Math.ceil(share * tookMs.length) - 1)] ?? 0)} ms`;
  say(
    `  ${howMany} at ${values.perSecond} a second, call to refused: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, longest ${at(1)}`,
  );
  await settled();
}

/** All by one call; answers with the time until the last of them was refused. */
async function atOnce(api: TestApi, order: "contain" | "continuity", known: readonly Known[]): Promise<number> {
  const logins = await Promise.all(known.map(async (one) => one.held()));
  const witness = await watch(logins);
  const beganAt = performance.now();
  await declare(api, known, order);
  const refused = await witness.all();
  const tookMs = Math.max(...refused.values()) - beganAt;
  await settled();
  say(
    `  ${howMany} at once, until the last was proven and delivered: ${((performance.now() - beganAt) / 1_000).toFixed(1)} s`,
  );
  return tookMs;
}

/** Looks at the issuer every few milliseconds for when each of these may not log in any more; at the end it tries each. */
async function watch(logins: readonly Login[]) {
  const { host, port, superuser } = world.issuer;
  const client = new pg.Client({ host, port, ...superuser, database: "postgres" });
  await client.connect();
  const left = new Set(logins.map(({ user }) => user));
  const refusedAt = new Map<string, number>();
  const looking = (async () => {
    while (left.size > 0) {
      const { rows } = await client.query<{ rolname: string }>(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND NOT rolcanlogin",
        [[...left]],
      );
      for (const { rolname } of rows) {
        refusedAt.set(rolname, performance.now());
        left.delete(rolname);
      }
      await pause(10);
    }
    await client.end();
  })();
  return {
    async all(): Promise<ReadonlyMap<string, number>> {
      await looking;
      for (const login of logins) {
        const answer = await logsIn(world.issuer, login);
        if (answer !== "28P01" && answer !== "28000")
          throw new Error(`${login.user} was said to be dead and was answered ${answer}.`);
      }
      return refusedAt;
    },
  };
}

/** Until no emergency is open and its rotation is over. */
async function settled(): Promise<void> {
  await untilLedger(async () => {
    const { rows } = await sql<{ left: number }>`
      SELECT count(*)::int AS left FROM rotations WHERE outcome IS NULL AND urgent`.execute(world.ledger.db);
    return rows[0]?.left === 0 ? true : undefined;
  });
}

/** Prints the processor time that it took, by program and for each credential. */
async function spent<T>(work: () => Promise<T>): Promise<T> {
  const before = processorTime();
  const answer = await work();
  const each = [...processorTime()].map(([name, seconds]) => {
    const ms = ((seconds - (before.get(name) ?? 0)) / howMany) * 1_000;
    return `${name} ${ms.toFixed(0)} ms`;
  });
  say(`    processor time for each: ${each.join(", ")}`);
  return answer;
}
