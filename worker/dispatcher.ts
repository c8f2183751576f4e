import { WorkflowNotFoundError, type Client } from "@temporalio/client";
import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import type { Ledger } from "../ledger/database.ts";
import { createRounds } from "../ledger/rounds.ts";
import { readDispatches } from "../ledger/carriers.ts";

/** Its trouble is whatever keeps it from working. */
export interface DispatcherOptions extends SpellListener {
  readonly ledger: Ledger;
  readonly client: Client;
  readonly everyMs?: number;
  /** An open rotation that no step has looked at for so long is started again. Longer than any wait of a workflow. */
  readonly silentMs?: number;
}

export interface Dispatcher {
  /** Brings everything that waits to Temporal, once. */
  runOnce(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

const taskQueue = "rekey";
/** Of what hurries: nothing there waits for routine work. */
const urgentQueue = "rekey.urgent";
const atMost = 200;
/** A command that was told of is told of again after so long, should the signal have been lost with its workflow. */
const tellAgainMs = 2_000;

/** What has become urgent may hear of it by itself for so long: then nothing that it does has to be broken off. */
const hearsItselfMs = 1_000;
/** One whose carrier has been looked at is looked at again after so long, unless an urgent one has said that it is there. */
const lookAgainMs = 5_000;
/** Each costs a question to Temporal, beside which emergencies begin. */
const looksAtOnce = 50;

interface Carry {
  readonly workflowId: string;
  readonly id: string;
  readonly queue?: string;
  /** Whatever carries it now is ended; else that goes on, and nothing is started. */
  readonly takesOver?: boolean;
}

/**
 * The only one that talks to Temporal about rotations. Any number of them may run, in as many workers: starting what
 * runs already changes nothing, and a signal carries nothing. Whatever is lost on either side is found here again.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { ledger, client, everyMs = 100, silentMs = 90_000 } = options;
  const spell = createTroubleSpell(options);
  const toldAt = new Map<string, number>();
  const strolledAt = new Map<string, number>();

  const carry = async (
    type: "rotateCredential" | "runCheck",
    { workflowId, id, queue = taskQueue, takesOver = false }: Carry,
  ): Promise<void> => {
    await client.workflow.start(type, {
      taskQueue: queue,
      workflowId,
      args: [id],
      workflowIdReusePolicy: "ALLOW_DUPLICATE",
      workflowIdConflictPolicy: takesOver ? "TERMINATE_EXISTING" : "USE_EXISTING",
    });
  };
  const rotate = async (id: string, isUrgent: boolean, takesOver = false): Promise<void> =>
    carry("rotateCredential", { workflowId: `rotate/${id}`, id, queue: isUrgent ? urgentQueue : taskQueue, takesOver });

  async function tell(id: string, isUrgent: boolean): Promise<void> {
    const now = performance.now();
    if (now - (toldAt.get(id) ?? Number.NEGATIVE_INFINITY) < tellAgainMs) return;
    toldAt.set(id, now);
    try {
      await client.workflow.getHandle(`rotate/${id}`).signal("lookAgain");
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      await rotate(id, isUrgent);
    }
  }

  /** Those whose turn it is to be looked at, so that no carrier is asked for again and again. */
  function dueAmong(strolling: readonly string[]): readonly string[] {
    const now = performance.now();
    const known = new Set(strolling);
    for (const id of strolledAt.keys()) if (!known.has(id)) strolledAt.delete(id);
    for (const id of strolling) if (!strolledAt.has(id)) strolledAt.set(id, now + hearsItselfMs - lookAgainMs);
    const due = strolling.filter((id) => now - (strolledAt.get(id) ?? now) >= lookAgainMs).slice(0, looksAtOnce);
    for (const id of due) strolledAt.set(id, now);
    return due;
  }

  /**
   * What hurries does not wait behind the routine work that its carrier stands in line with: another one takes over, and
   * what the former still does outside is refused by its outdated claim.
   */
  async function takeOver(id: string): Promise<void> {
    try {
      const { status, taskQueue: queue } = await client.workflow.getHandle(`rotate/${id}`).describe();
      const isRunning = status.name === "RUNNING";
      if (!isRunning || queue !== urgentQueue) await rotate(id, true, isRunning);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      await rotate(id, true);
    }
  }

  async function runOnce(): Promise<void> {
    const { starts, urgent, strolling, silent, unheard, woken, checks } = await readDispatches(ledger.db, {
      silentMs,
      atMost,
    });
    const told = new Set([...unheard, ...woken]);
    for (const id of toldAt.keys()) if (!told.has(id)) toldAt.delete(id);
    const hurries = new Set(urgent);
    await Promise.all([...new Set([...starts, ...silent])].map(async (id) => rotate(id, hurries.has(id))));
    for (const some of [unheard, woken]) await Promise.all(some.map(async (id) => tell(id, hurries.has(id))));
    await Promise.all(dueAmong(strolling).map(takeOver));
    await Promise.all(checks.map(async (id) => carry("runCheck", { workflowId: `check/${id}`, id })));
  }

  const rounds = createRounds(async () => runOnce().then(() => everyMs), {
    spell,
    afterFailureMs: everyMs * 4,
  });
  return { runOnce, ...rounds };
}
