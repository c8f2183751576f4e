import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";

export interface History {
  readonly workflowId: string;
  /** The whole history, and what is pending now with its heartbeats and failures, as JSON; payloads decoded beside it. */
  readonly text: string;
}

/** Every workflow that the home's Temporal knows. */
export async function readHistories(home: string): Promise<readonly History[]> {
  const record = JSON.parse(await readFile(join(home, "temporal", "server.json"), "utf8")) as { readonly port: number };
  const connection = await Connection.connect({ address: `127.0.0.1:${record.port}` });
  const { workflow } = new Client({ connection });
  const found: History[] = [];
  for await (const { workflowId, runId } of workflow.list()) {
    const handle = workflow.getHandle(workflowId, runId);
    const history = historyToJSON(await handle.fetchHistory());
    const { raw, memo, searchAttributes } = await handle.describe();
    const now = JSON.stringify({ raw, memo, searchAttributes }, bytesAsText);
    found.push({ workflowId, text: `${history}\n${decoded(history)}\n${now}` });
  }
  await connection.close();
  return found;
}

const decoded = (history: string): string =>
  [...history.matchAll(/"data":\s*"([^"]*)"/g)]
    .map(([, data = ""]) => Buffer.from(data, "base64").toString())
    .join("\n");

function bytesAsText(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  const raw: unknown = typeof this === "object" && this !== null ? Reflect.get(this, key) : undefined;
  return raw instanceof Uint8Array ? Buffer.from(raw).toString("utf8") : value;
}
