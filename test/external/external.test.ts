import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { needs } from "../harness/needs.ts";
import { inDotenv, startSentinel } from "../harness/sentinel.ts";
import { hasTemporalServer, noTemporalServer } from "../harness/temporal-server.ts";
import { untilLedger } from "../harness/world.ts";
import { openExternalWorld, type ExternalWorld } from "./external-world.ts";
import { registerRoles, type ManyRole } from "./many-roles.ts";
import { costLines, costOf, readRotations, rotateAll, versionsMade, type RotationSeen } from "./rotations.ts";
import type { RekeyProcess } from "./rekey-process.ts";

const execute = promisify(execFile);
const healthcheck = join(import.meta.dirname, "..", "..", "scripts", "healthcheck.mjs");
const anyColumn = (table: string) => (table === "audit" ? "actor = actor" : "hash = hash");
const howMany = 50;
const watched = 3;

describe("the built package, an external PostgreSQL, Temporal's server on PostgreSQL, two workers", () => {
  let world: ExternalWorld;
  let workers: [RekeyProcess, RekeyProcess];

  beforeAll(async () => {
    if (!hasTemporalServer) return;
    world = await openExternalWorld();
    workers = await Promise.all([world.startWorker(), world.startWorker()]);
  }, 400_000);
  beforeEach((context) => needs(context, hasTemporalServer, noTemporalServer));
  afterAll(async () => world?.close(), 120_000);

  const open = (all: readonly RotationSeen[]) => all.filter(({ outcome }) => outcome === null);
  const inTheMiddle = (all: readonly RotationSeen[]) =>
    open(all).filter(({ phase }) => !["reserved", "proven"].includes(phase));

  async function seen(roles: readonly ManyRole[], fits: (all: readonly RotationSeen[]) => boolean) {
    return untilLedger(async () => {
      const all = await readRotations(
        world,
        roles.map(({ name }) => name),
      );
      const held = all.find(({ hold }) => hold !== null);
      if (held !== undefined) throw new Error(`${held.credential} holds in ${held.phase}: ${held.hold}`);
      return fits(all) ? all : undefined;
    });
  }

  /** With logins of its own, that know nothing of the product. */
  async function expectReplaced(roles: readonly ManyRole[]): Promise<void> {
    for (const { name, former, held } of roles) {
      const { user, password } = await held();
      expect([user, password === former.password], name).toEqual([`${name}_b`, false]);
      expect(await world.issuer.logsIn(user, password, "postgres"), name).toBe("accepted");
      expect(await world.issuer.logsIn(former.user, former.password, "postgres"), name).toMatch(/^28/);
    }
  }

  it("proves every one of 50 rotations although each worker is killed once in the middle", async () => {
    const roles = await registerRoles(
      world,
      Array.from({ length: howMany }, (_, at) => `many${at + 1}`),
    );
    const sentinels = await Promise.all(
      roles
        .slice(0, watched)
        .map(async ({ file }) =>
          startSentinel(inDotenv(file), async ({ DB_USER = "", DB_PASSWORD = "" }) =>
            world.issuer.logsIn(DB_USER, DB_PASSWORD, "postgres"),
          ),
        ),
    );
    await rotateAll(world, roles.slice(0, 30));
    const atFirst = await seen(roles, (all) => inTheMiddle(all).length >= 10 || open(all).length < 10);
    await workers[0].kill();
    expect(inTheMiddle(atFirst).length).toBeGreaterThanOrEqual(10);
    // The other one goes on alone.
    const closed = (all: readonly RotationSeen[]) => all.length - open(all).length;
    await seen(roles, (all) => closed(all) > closed(atFirst));
    workers[0] = await world.startWorker();
    // A start takes as long as some rotations: more of them, so that the second kill meets as many in the middle.
    await rotateAll(world, roles.slice(30));
    const atSecond = await seen(roles, (all) => inTheMiddle(all).length >= 10 || open(all).length < 10);
    await workers[1].kill();
    expect(inTheMiddle(atSecond).length).toBeGreaterThanOrEqual(10);
    const all = await seen(roles, (now) => open(now).length === 0);
    workers[1] = await world.startWorker();
    expect(all.map(({ outcome }) => outcome)).toEqual(Array.from({ length: howMany }, () => "proven"));
    await expectReplaced(roles);
    for (const sentinel of sentinels) {
      const { troubles, logins } = await sentinel.close();
      expect(troubles).toEqual([]);
      expect(logins).toBeGreaterThan(10);
    }
    process.stdout.write(costLines(await costOf(world, all)));
  }, 600_000);

  it("keeps the audit trail from the login of serve and workers, which may add to it alone", async () => {
    const own = new pg.Client({ connectionString: world.ledger.url });
    await own.connect();
    for (const table of ["audit", "audit_seals", "audit_heads"])
      for (const change of [`UPDATE ${table} SET ${anyColumn(table)}`, `DELETE FROM ${table}`, `TRUNCATE ${table}`])
        await expect(own.query(change)).rejects.toMatchObject({
          code: "42501",
          message: expect.stringContaining("permission denied"),
        });
    await expect(own.query("ALTER TABLE audit DISABLE TRIGGER append_only")).rejects.toMatchObject({ code: "42501" });
    await own.end();
    expect(await world.run(["audit", "verify"])).toContain("is whole");
    await execute(process.execPath, [healthcheck], { env: world.environment });
    const refused = await world.run(["migrate"], { code: "1" });
    expect(refused).toContain("needs the one that owns the database");
  });

  it("carries open rotations on, and none twice, when Temporal is restored from an older state", async () => {
    const times = { grace: "20s" };
    // One after the other: of two plans that would make the same team, the second is refused.
    const before = await registerRoles(world, ["before1", "before2", "before3"], times);
    const after = await registerRoles(world, ["after1", "after2", "after3"], times);
    const grace = (all: readonly RotationSeen[]) => all.every(({ phase }) => phase === "promoted");
    await rotateAll(world, before);
    await seen(before, grace);
    await world.temporal.kill();
    await world.temporal.save();
    await world.temporal.start();
    // What the saved state does not know: the end of these, the beginning of those, and another schedule.
    await Promise.all(workers.map(async (worker) => worker.stop()));
    const sweeping = { REKEY_SWEEP_EVERY_MS: "2000" };
    workers = await Promise.all([world.startWorker(sweeping), world.startWorker(sweeping)]);
    await untilLedger(async () => ((await sweepEveryMs()) === 2_000 ? true : undefined));
    await seen(before, (all) => open(all).length === 0);
    await rotateAll(world, after);
    await seen(after, grace);
    await world.temporal.kill();
    await world.temporal.restore();
    await world.temporal.start();
    expect(await sweepEveryMs()).toBe(10_000);
    const ended = await seen(after, (all) => open(all).length === 0);
    for (const roles of [before, after]) await expectReplaced(roles);
    const names = [...before, ...after].map(({ name }) => name);
    const all = await readRotations(world, names);
    expect(all.map(({ credential, outcome }) => `${credential} ${outcome}`).toSorted()).toEqual(
      names.map((name) => `${name} proven`).toSorted(),
    );
    expect(await versionsMade(world, names)).toEqual(Object.fromEntries(names.map((name) => [name, 2])));
    expect(ended).toHaveLength(after.length);
    // Those that came back from before their end find it, and end too.
    for (const { id } of all)
      await untilLedger(async () => {
        const { status } = await world.temporal.client.workflow.getHandle(`rotate/${id}`).describe();
        return status.name === "RUNNING" ? undefined : (expect(status.name).toBe("COMPLETED") ?? true);
      });
    await untilLedger(async () => ((await sweepEveryMs()) === 2_000 ? true : undefined));
    // And it sweeps: what is due begins by itself.
    await world.ledger.witness.query(
      `UPDATE credentials SET policy = policy || '{"schedule": {"kind": "every", "everyMs": 1000}}', is_reckoned = false
      WHERE name = 'after1'`,
    );
    await untilLedger(async () => {
      const found = await readRotations(world, ["after1"]);
      return found.some(({ requestedBy }) => requestedBy === "system:sweep") ? true : undefined;
    });
  }, 600_000);

  async function sweepEveryMs(): Promise<number> {
    const { rows } = await world.ledger.witness.query<{ id: string }>("SELECT id FROM instance");
    const { spec } = await world.temporal.client.schedule.getHandle(`sweep/${rows[0]?.id}`).describe();
    return Number(spec.intervals?.[0]?.every);
  }
});
