import type { Client } from "@temporalio/client";
import pg from "pg";
import type { World } from "./world.ts";

/** One rotation that has ended, and what it should have ended as, whatever its issuer is. */
export interface Books {
  readonly world: Pick<World, "ledger" | "ledgerUrl" | "folder" | "workerOutput" | "elsewhere">;
  readonly temporal: Client;
  readonly credentialId: string;
  readonly rotationId: string;
  readonly order: "overlap" | "single-slot";
  readonly outcome: "proven" | "undone";
  /** Asks the ledger in plain SQL. */
  readonly ledger: AskLedger;
}

export type AskLedger = (text: string, values?: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;

/** Reads the ledger with nothing of ours. */
export async function withLedger<T>(url: string, work: (ask: AskLedger) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(
      async (text, values = []) => (await client.query<Record<string, unknown>>(text, [...values])).rows,
    );
  } finally {
    await client.end();
  }
}

/** Nothing waits any more, for the ledger, for a person or in Temporal. */
export async function notEnded({ ledger, rotationId, outcome, temporal }: Books): Promise<readonly string[]> {
  const [row] = await ledger(
    `SELECT r.outcome, (SELECT count(*) FROM starts WHERE rotation_id = r.id)::int AS starts,
       (SELECT count(*) FROM commands WHERE rotation_id = r.id AND state = 'pending')::int AS commands,
       (SELECT count(*) FROM holds WHERE rotation_id = r.id AND decided_at IS NULL)::int AS holds,
       (SELECT count(*) FROM rotation_principals WHERE rotation_id = r.id AND open)::int AS principals
     FROM rotations r WHERE id = $1`,
    [rotationId],
  );
  const breaches = [];
  if (row?.["outcome"] !== outcome) breaches.push(`invariant 9: the rotation ended as ${String(row?.["outcome"])}.`);
  for (const left of ["starts", "commands", "holds", "principals"])
    if (row?.[left] !== 0) breaches.push(`invariant 9: ${String(row?.[left])} ${left} of the rotation are left open.`);
  const ended = await Promise.race([
    temporal.workflow.getHandle(`rotate/${rotationId}`).result(),
    new Promise((resolve) => setTimeout(resolve, 30_000, "late").unref()),
  ]).catch((error: unknown) => (error instanceof Error ? error.name : "failed"));
  if (typeof ended === "string") breaches.push(`invariant 9: the rotation's workflow did not complete (${ended}).`);
  return breaches;
}

/** What takes back an intent whose effect was perhaps there. Of `end` only the cut before it: ended sessions come back. */
const takenBackBy = {
  issue: "abandon",
  stage: "forget",
  cut: "cut-back",
  end: "cut-back",
  disable: "enable",
  deliver: "restore",
};

/** Intents of which nobody will ever say what became of them. The frame of all deliveries stands for none itself. */
export async function openIntents({ ledger, rotationId, outcome }: Books): Promise<readonly string[]> {
  const rows = await ledger(
    `SELECT step FROM operations o WHERE rotation_id = $1 AND state = 'open' AND NOT EXISTS (
       SELECT FROM operations u WHERE u.rotation_id = o.rotation_id AND u.state = 'done'
         AND u.step = $2::jsonb ->> o.step AND u.target = o.target)
       AND NOT ($3 AND step = 'deliver' AND target = '')
       -- an undo that was turned forward again: what it was bringing back has been delivered over
       AND NOT (step = 'restore' AND EXISTS (
         SELECT FROM operations d WHERE d.rotation_id = o.rotation_id AND d.step = 'deliver' AND d.target = o.target
           AND d.state = 'done' AND d.done_at > o.created_at))`,
    [rotationId, JSON.stringify(outcome === "undone" ? takenBackBy : {}), outcome === "undone"],
  );
  return rows.map(({ step }) => `invariant 9: the rotation is closed and its intent of ${String(step)} is open.`);
}
