import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Code } from "../domain/errors.ts";
import type { Phase } from "../domain/order.ts";
import type { IssuerSession } from "../providers/contract/issuer.ts";
import { openStepBench, type StepBench } from "../test/harness/step-bench.ts";
import { readRotation } from "../test/harness/world.ts";
import type { StepDeps } from "./step-deps.ts";

const holdAfterMs = 60_000;
const hourMs = 3_600_000;

/** Steps that ask for something that never comes: how they find it, and the phase in which they ask. */
const asking: Record<
  "revoke" | "prove",
  { readonly phase: Phase; readonly code: Code; readonly session: Partial<IssuerSession> }
> = {
  revoke: {
    phase: "revoking",
    code: "still_in_use",
    session: { endSessions: async () => ({ ended: 1, remaining: 1 }) },
  },
  prove: {
    phase: "revoked",
    code: "death_unproven",
    session: { probe: async () => ({ verdict: "unknown", code: "no_answer", controls: [] }) },
  },
};

describe.each(["revoke", "prove"] as const)("invariant 9: a worker that comes back to %s", (step) => {
  const { phase, code, session } = asking[step];
  let bench: StepBench;
  let rotationId: string;
  let deps: StepDeps;
  let closeShop: () => Promise<unknown>;

  beforeAll(async () => {
    bench = await openStepBench();
    deps = shaken(bench.deps, session);
    const orders = await bench.register({ policy: { holdAfterMs, lookEveryMs: 2_000 } });
    closeShop = () => orders.shop.close();
    rotationId = await orders.rotate();
    await bench.reach(rotationId, phase);
  });

  afterAll(async () => {
    await closeShop?.();
    await bench?.close();
  });

  const look = async () => {
    await sql`UPDATE rotations SET wait_until = NULL WHERE id = ${rotationId}`.execute(bench.ledger.db);
    const { now } = await bench.take(rotationId, step, deps);
    return { now, hold: (await readRotation(bench, rotationId)).hold?.code };
  };

  /** As if so much time had gone by in which nobody looked, or in which somebody did all the time. */
  const pass = async (ms: number, how: "nobody looked" | "somebody looked") => {
    const looked = how === "nobody looked" ? ms : 0;
    await sql`
      UPDATE rotations SET asked_since = asked_since - ${ms} * interval '1 millisecond',
        back_since = back_since - ${ms} * interval '1 millisecond',
        looked_at = looked_at - ${looked} * interval '1 millisecond'
      WHERE id = ${rotationId}`.execute(bench.ledger.db);
  };

  it("looks for its time itself before it asks a person, however long nobody had looked", async () => {
    expect(await look()).toEqual({ now: "wait", hold: undefined });
    await pass(hourMs, "nobody looked");
    expect(await look()).toEqual({ now: "wait", hold: undefined });
    await pass(holdAfterMs / 2, "somebody looked");
    expect(await look()).toEqual({ now: "wait", hold: undefined });
    await pass(holdAfterMs / 2, "somebody looked");
    expect(await look()).toMatchObject({ hold: code });
  });
});

function shaken(deps: StepDeps, change: Partial<IssuerSession>): StepDeps {
  const { "postgres-role": definition, ...others } = deps.catalog.issuers;
  if (definition === undefined) throw new Error("no such issuer");
  const open: typeof definition.open = async (opening, context) => ({
    ...(await definition.open(opening, context)),
    ...change,
  });
  return {
    ...deps,
    catalog: { ...deps.catalog, issuers: { ...others, "postgres-role": { ...definition, open } } },
  };
}
