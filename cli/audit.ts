import { readFile } from "node:fs/promises";
import type { Request } from "../api/client.ts";
import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { clock } from "./show-time.ts";
import { table } from "./table.ts";

export interface AuditListOptions {
  readonly credential?: string;
  readonly rotation?: string;
  readonly limit?: number;
}

export async function listAudit(io: Io, { credential, rotation, limit }: AuditListOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listAudit", { query: { credential, rotation, limit } });
  io.give(answer);
  const rows = answer.rows.map((row) => [
    String(row.id),
    clock(row.at),
    row.action,
    row.actor,
    row.rotationId ?? row.credentialId ?? "",
    JSON.stringify(row.details).slice(0, 120),
  ]);
  io.say(...table([["ROW", "AT", "ACTION", "ACTOR", "ABOUT", "DETAILS"], ...rows]));
  return exitCodes.done;
}

type Anchor = NonNullable<Request<"verifyAudit">["body"]["anchor"]>;

export async function verifyAudit(io: Io, { anchor }: { readonly anchor?: string }): Promise<ExitCode> {
  const client = await io.client();
  const body = anchor === undefined ? {} : { anchor: await readAnchor(anchor) };
  const verdict = await client.call("verifyAudit", { body });
  io.give(verdict);
  if (verdict.ok) {
    const { count = 0, heads = 0, unsealed = 0 } = verdict;
    io.say(
      `The audit trail is whole: ${count} rows in the chain, ${heads} signed heads.`,
      ...(unsealed === 0 ? [] : [`  ${unsealed} newest rows have no seal yet; a worker seals them within a second.`]),
    );
    return exitCodes.done;
  }
  io.say(
    `The audit trail is NOT whole. First bad row: ${verdict.rowId ?? 0}, at position ${verdict.position ?? 0} of the chain: ${verdict.fault ?? ""}.`,
    "  Keep the ledger as it is, compare with the heads you exported, and look who could write to it.",
  );
  return exitCodes.failed;
}

async function readAnchor(file: string): Promise<Anchor> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Anchor;
  } catch {
    throw usage(`${file} is no exported head`, "Name a file with one head as JSON.");
  }
}
