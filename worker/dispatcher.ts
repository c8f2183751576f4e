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

/**
 * The only one that talks to Temporal about rotations. Any number of them may run, in as many workers: starting what
 * runs already changes nothing, and a signal carries nothing. Whatever is lost on either side is found here again.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { ledger, client, everyMs = 100, silentMs = 90_000 } = options;
  const spell = createTroubleSpell(options);
  const toldAt = new Map<string, number>();

  const carry = async (
    type: "rotateCredential" | "runCheck",
    { workflowId, id, queue = taskQueue }: { workflowId: string; id: string; queue?: string },
  ): Promise<void> => {
    await client.workflow.start(type, {
      taskQueue: queue,
      workflowId,
      args: [id],
      workflowIdReusePolicy: "ALLOW_DUPLICATE",
      workflowIdConflictPolicy: "USE_EXISTING",
    });
  };
  const rotate = async (id: string, isUrgent = false): Promise<void> =>
    carry("rotateCredential", { workflowId: `rotate/${id}`, id, queue: isUrgent ? urgentQueue : taskQueue });

  async function tell(id: string): Promise<void> {
    const now = performance.now();
    if (now - (toldAt.get(id) ?? Number.NEGATIVE_INFINITY) < tellAgainMs) return;
    toldAt.set(id, now);
    try {
      await client.workflow.getHandle(`rotate/${id}`).signal("lookAgain");
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      await rotate(id);
    }
  }

  async function runOnce(): Promise<void> {
    const { starts, urgent, silent, unheard, checks } = await readDispatches(ledger.db, { silentMs, atMost });
    for (const id of toldAt.keys()) if (!unheard.includes(id)) toldAt.delete(id);
    const hurries = new Set(urgent);
    await Promise.all([...new Set([...starts, ...silent])].map(async (id) => rotate(id, hurries.has(id))));
    await Promise.all(unheard.map(tell));
    await Promise.all(checks.map(async (id) => carry("runCheck", { workflowId: `check/${id}`, id })));
  }

  const rounds = createRounds(async () => runOnce().then(() => everyMs), {
    spell,
    afterFailureMs: everyMs * 4,
  });
  return { runOnce, ...rounds };
}
