import { readFile } from "node:fs/promises";
import { auditHead, type Request } from "../api/client.ts";
import { usage } from "./cli-error.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { clock } from "./show-time.ts";
import { table } from "./table.ts";
import { cut, summarize } from "./timeline-lines.ts";

export interface AuditListOptions {
  readonly credential?: string;
  readonly rotation?: string;
  readonly limit?: number;
}

export async function listAudit(io: Io, { credential, rotation, limit }: AuditListOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listAudit", { query: { credential, rotation, limit } });
  io.give(answer);
  const cells = answer.rows.map((row) => [
    String(row.id),
    clock(row.at, otherDay),
    row.action,
    row.actor,
    row.credential ?? "",
    row.rotationId ?? "",
    cut(
      summarize(row.details, answer.names, () => true),
      120,
    ),
  ]);
  if (cells.length === 0) io.say(emptyList("row", { credential, rotation }, "Every change will leave one."));
  else io.say(...table([["ROW", "AT (UTC)", "ACTION", "ACTOR", "CREDENTIAL", "ROTATION", "DETAILS"], ...cells]));
  return exitCodes.done;
}

/** A trail is read long after: each row has its date. */
const otherDay = "";

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
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw usage(
      code === "ENOENT" ? `There is no file ${file}` : `${file} cannot be read (${code})`,
      "Name with --anchor a file that holds a head which you kept, as JSON; without --anchor the chain alone is checked.",
    );
  });
  const found = auditHead.safeParse(jsonOf(text));
  if (found.success) return found.data;
  throw usage(
    `${file} holds no head of the audit trail`,
    `A head is one JSON object with ${Object.keys(auditHead.shape).join(", ")}.`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
