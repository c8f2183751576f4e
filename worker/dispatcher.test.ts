import { WorkflowNotFoundError, type Client } from "@temporalio/client";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { beginSteps } from "../ledger/begin-steps.ts";
import type { Ledger } from "../ledger/database.ts";
import { newId } from "../ledger/new-id.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { createDispatcher } from "./dispatcher.ts";

let test: TestLedger;
beforeAll(async () => {
  test = await withLedger();
});
afterAll(() => test.close());

it("the dispatcher tells once that the ledger is away, however often it tries, and once that it is back", async () => {
  const told: string[] = [];
  let turns = 0;
  const ledger: Ledger = {
    ...test.ledger,
    get db() {
      turns += 1;
      if (turns <= 3) throw new Error("away");
      return test.ledger.db;
    },
  };
  const dispatcher = createDispatcher({
    ledger,
    client: {} as Client, // an empty ledger has nothing for Temporal
    everyMs: 1,
    onTrouble: (error) => told.push(String(error)),
    onRecovered: (failures) => told.push(`${failures} failures`),
  });
  dispatcher.start();
  await expect.poll(() => turns).toBeGreaterThan(5);
  await dispatcher.stop();
  expect(told).toEqual(["Error: away", "3 failures"]);
});

describe("a rotation that has become urgent", () => {
  let id: string;
  /** Milliseconds by which this process's clock is ahead. */
  let ahead = 0;
  const now = performance.now.bind(performance);

  beforeEach(async () => {
    [id = ""] = await makeRotations(test.ledger, 1);
    ahead = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now() + ahead);
  });
  afterEach(() => void vi.restoreAllMocks());

  /** Temporal, as far as the dispatcher asks of one rotation: where its workflow runs, and what was started. */
  function temporal(queue: string | undefined) {
    const seen = { queue, looks: 0, signals: 0, started: [] as string[] };
    const gone = () => new WorkflowNotFoundError("gone", `rotate/${id}`, undefined);
    const client = {
      workflow: {
        async start(_: string, options: Record<"workflowId" | "taskQueue" | "workflowIdConflictPolicy", string>) {
          if (options.workflowId !== `rotate/${id}`) return Promise.resolve();
          seen.started.push(`${options.taskQueue} ${options.workflowIdConflictPolicy}`);
          if (options.workflowIdConflictPolicy === "TERMINATE_EXISTING" || seen.queue === undefined)
            seen.queue = options.taskQueue;
          return Promise.resolve();
        },
        getHandle: (workflowId: string) => ({
          async signal() {
            if (workflowId === `rotate/${id}`) seen.signals += 1;
            return seen.queue === undefined ? Promise.reject(gone()) : Promise.resolve();
          },
          async describe() {
            seen.looks += 1;
            if (seen.queue === undefined) throw gone();
            return Promise.resolve({ status: { name: "RUNNING" }, taskQueue: seen.queue });
          },
        }),
      },
    };
    const quiet = { onTrouble: () => undefined, onRecovered: () => undefined };
    const dispatcher = createDispatcher({ ledger: test.ledger, client: client as unknown as Client, ...quiet });
    return { seen, dispatcher };
  }

  const carry = async (isUrgent: boolean) => {
    const carrier = { workflow: `rotate/${id}`, run: "run", isUrgent };
    await beginSteps(test.ledger, { step: "preflight", carried: [{ rotationId: id, carrier }] });
  };
  const hurry = async () => sql`UPDATE rotations SET urgent = true WHERE id = ${id}`.execute(test.ledger.db);
  const wake = async () =>
    sql`INSERT INTO commands (id, rotation_id, kind, arguments, actor)
      VALUES (${newId("command")}, ${id}, 'emergency', '{}', 'tok_responder')`.execute(test.ledger.db);

  it("is taken over from routine work once, after a moment in which it may hear of it, until an urgent carrier is there", async () => {
    await carry(false);
    const { seen, dispatcher } = temporal("rekey");
    await dispatcher.runOnce();
    ahead = 5_500;
    await dispatcher.runOnce();
    expect([seen.looks, seen.started]).toEqual([0, []]);
    await hurry();
    await dispatcher.runOnce();
    expect(seen.started).toEqual([]);
    ahead += 1_000;
    await dispatcher.runOnce();
    expect(seen.started).toEqual(["rekey.urgent TERMINATE_EXISTING"]);
    await dispatcher.runOnce();
    expect(seen.looks).toBe(1);
    // It stands in the urgent queue, where it may have to wait for its turn: that is not begun anew.
    ahead += 5_000;
    await dispatcher.runOnce();
    expect([seen.looks, seen.started]).toEqual([2, ["rekey.urgent TERMINATE_EXISTING"]]);
    await carry(true);
    ahead += 5_000;
    await dispatcher.runOnce();
    expect([seen.looks, seen.started.length]).toEqual([2, 1]);
  });

  it("before anybody has carried it is taken over too; one that began as urgent is not looked at", async () => {
    await hurry();
    const { seen, dispatcher } = temporal("rekey");
    await dispatcher.runOnce();
    ahead = 1_500;
    await dispatcher.runOnce();
    expect([seen.looks, new Set(seen.started)]).toEqual([0, new Set(["rekey.urgent USE_EXISTING"])]);
    await wake();
    await dispatcher.runOnce();
    ahead += 1_000;
    await dispatcher.runOnce();
    expect(seen.started.filter((each) => each.endsWith("TERMINATE_EXISTING"))).toHaveLength(1);
  });

  it("or for which a window or a freeze has changed is told to look, and again until a step has looked", async () => {
    await carry(false);
    const { seen, dispatcher } = temporal("rekey");
    await dispatcher.runOnce();
    expect(seen.signals).toBe(0);
    await sql`UPDATE rotations SET wakes = true WHERE id = ${id}`.execute(test.ledger.db);
    await dispatcher.runOnce();
    await dispatcher.runOnce();
    expect(seen.signals).toBe(1);
    ahead += 2_001;
    await dispatcher.runOnce();
    expect(seen.signals).toBe(2);
    await carry(false);
    ahead += 2_001;
    await dispatcher.runOnce();
    expect(seen.signals).toBe(2);
  });

  it("whose workflow is gone is started where nothing waits for routine work", async () => {
    await carry(false);
    await hurry();
    await wake();
    const { seen, dispatcher } = temporal(undefined);
    await dispatcher.runOnce();
    expect(seen.started).toEqual(["rekey.urgent USE_EXISTING"]);
  });
});
