import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { statusLooks } from "../../api/status-looks.ts";
import { readAfterDeath } from "../../ledger/death-watches.ts";
import { readStatusFacts } from "../../ledger/status-facts.ts";
import { createDeathWatches } from "../../worker/death-watches.ts";
import type { Registered } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import { meet } from "./scene.ts";

let bench: StepBench;
beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(() => bench.close());

const pools = ["default"];
const spell = {
  onTrouble(error: unknown): void {
    throw error;
  },
  onRecovered: () => undefined,
};

/** One look at each version that is watched, whenever its time is. */
async function look(): Promise<number> {
  await sql`UPDATE death_watches SET next_at = clock_timestamp()`.execute(bench.ledger.db);
  return createDeathWatches({ deps: bench.deps, pools, ...spell }).runOnce();
}

const actions = async ({ credentialId }: Registered) => {
  const { rows } = await sql<{ action: string; details: { readonly text: string } }>`
    SELECT action, details FROM audit WHERE credential_id = ${credentialId}
      AND action IN ('version.used-after-death', 'version.revived', 'emergency.stranger-found') ORDER BY id`.execute(
    bench.ledger.db,
  );
  return rows;
};

const looks = async () => statusLooks(await readStatusFacts(bench.ledger.db), undefined);

/** Runs with a credential whose version 1 had leaked and is dead. */
async function afterEmergency(
  options: Parameters<StepBench["register"]>[0],
  work: (orders: Registered, rotationId: string) => Promise<void>,
): Promise<void> {
  const orders = await bench.register(options);
  try {
    const { declared } = await meet(bench, orders, { versions: [1], contain: true });
    await work(orders, declared.rotationId ?? "");
  } finally {
    await orders.shop.close();
    await sql`DELETE FROM death_findings`.execute(bench.ledger.db);
    await sql`DELETE FROM death_watches`.execute(bench.ledger.db);
  }
}

describe("after the death of what had leaked", () => {
  it("nothing is found where nothing is wrong, in either order, and routine deaths are not watched", async () => {
    for (const order of ["overlap", "single-slot"] as const)
      await afterEmergency({ order }, async (orders, rotationId) => {
        expect(await look()).toBe(1);
        expect(await actions(orders)).toEqual([]);
        expect(await readAfterDeath(bench.ledger.db, rotationId)).toEqual([]);
        expect((await looks()).map(({ key }) => key)).not.toContain("after-death");
      });
    const routine = await bench.register();
    await bench.carry(await routine.rotate());
    await routine.shop.close();
    expect(await look()).toBe(0);
  });

  it("a dead login that somebody brings back and uses is told with its address and application, once", async () => {
    await afterEmergency({}, async (orders, rotationId) => {
      const [dead = ""] = orders.logins;
      const password = newSecret();
      await bench.issuer.ask(`ALTER ROLE ${dead} LOGIN PASSWORD '${password}'`);
      const { database } = orders;
      const session = await bench.issuer.openSession(dead, password, { database, name: "old-batch" });
      await look();
      await look();
      const rows = await actions(orders);
      expect(rows.map(({ action }) => action).toSorted()).toEqual(["version.revived", "version.used-after-death"]);
      const used = rows.find(({ action }) => action === "version.used-after-death");
      expect(used?.details.text).toContain(`somebody is logged in as ${dead} from 127.0.0.1, application old-batch`);
      expect(JSON.stringify(rows)).not.toContain(password);
      const alarm = (await looks()).find(({ key }) => key === "after-death");
      expect(alarm).toMatchObject({ state: "bad" });
      expect(alarm?.text).toMatch(/forgotten consumer, or an attacker.* Last seen \d{4}-\d\d-\d\d \S+ UTC\./);
      const shown = await readAfterDeath(bench.ledger.db, rotationId);
      expect(shown.map(({ kind, version }) => `${kind} ${version}`).toSorted()).toEqual(["revived 1", "used 1"]);
      // It only looks: whoever that is works on until a person has asked.
      await session.query("SELECT 1");
    });
  });

  it("a key that somebody made meanwhile is named and not deleted", async () => {
    await afterEmergency({}, async (orders, rotationId) => {
      const password = newSecret();
      await bench.issuer.ask(`ALTER ROLE ${orders.owner} LOGIN PASSWORD '${password}'`);
      await look();
      await look();
      const rows = await actions(orders);
      expect(rows.map(({ action }) => action)).toEqual(["emergency.stranger-found"]);
      expect(rows[0]?.details.text).toContain(orders.owner);
      expect(await bench.issuer.logsIn(orders.owner, password, orders.database)).toBe("accepted");
      expect((await looks()).find(({ key }) => key === "strangers")).toMatchObject({ state: "warn" });
      expect(await readAfterDeath(bench.ledger.db, rotationId)).toMatchObject([{ kind: "stranger", version: 1 }]);
    });
  });

  it("in one slot a session from before the cut that was hidden from its end is told", async () => {
    await afterEmergency({ order: "single-slot" }, async (orders) => {
      // As if the issuer had not shown it when the sessions were ended: what is in force is younger than it.
      const [held] = orders.shop.report().held.slice(-1);
      const { user = "", password = "" } = held ?? {};
      await bench.issuer.openSession(user, password, { database: orders.database, name: "left-over" });
      await sql`
        UPDATE versions SET effective_at = to_jsonb(clock_timestamp() + interval '1 minute') #>> '{}'
        WHERE credential_id = ${orders.credentialId} AND number = 2`.execute(bench.ledger.db);
      await look();
      expect((await actions(orders)).some(({ details }) => details.text.includes("application left-over"))).toBe(true);
    });
  });

  it("is looked at as long as the policy says, once at least, and longer when something was found", async () => {
    await afterEmergency({ policy: { deadWatchMs: 0 } }, async () => {
      expect(await look()).toBe(1);
      expect(await look()).toBe(0);
    });
    await afterEmergency({ policy: { deadWatchMs: 3_600_000 } }, async (orders) => {
      await bench.issuer.ask(`ALTER ROLE ${orders.owner} LOGIN PASSWORD '${newSecret()}'`);
      await sql`UPDATE death_watches SET until = clock_timestamp() + interval '10 seconds'`.execute(bench.ledger.db);
      await look();
      const { rows } = await sql<{ is_longer: boolean }>`
        SELECT until > clock_timestamp() + interval '59 minutes' AS is_longer FROM death_watches`.execute(
        bench.ledger.db,
      );
      expect(rows).toEqual([{ is_longer: true }]);
    });
  });

  it("an issuer that cannot be asked is asked again later, and keeps nobody", async () => {
    await afterEmergency({}, async () => {
      await bench.issuer.halt();
      expect(await look()).toBe(1);
      await bench.issuer.resume();
      const { rows } = await sql<{ last_code: string; is_later: boolean }>`
        SELECT last_code, next_at > clock_timestamp() AS is_later FROM death_watches`.execute(bench.ledger.db);
      expect(rows).toEqual([{ last_code: "issuer_unreachable", is_later: true }]);
      await look();
      const { rows: after } = await sql<{ last_code: string | null }>`SELECT last_code FROM death_watches`.execute(
        bench.ledger.db,
      );
      expect(after).toEqual([{ last_code: null }]);
    });
  });
});
