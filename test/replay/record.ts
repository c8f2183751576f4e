// Records the histories of a Temporal server as JSON, for the replay test: node test/replay/record.ts <host:port>.
// Run `npm run demo -- --keep` first; the address stands in its home, in temporal/server.json.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";

const [address] = process.argv.slice(2);
if (address === undefined) throw new Error("Name the Temporal server: node test/replay/record.ts 127.0.0.1:<port>");
const connection = await Connection.connect({ address });
const client = new Client({ connection });
let count = 0;
for await (const { workflowId, type, status } of client.workflow.list()) {
  if (status.name !== "COMPLETED") continue;
  count += 1;
  const history = await client.workflow.getHandle(workflowId).fetchHistory();
  const name = `${String(count).padStart(2, "0")}-${type}.json`;
  const file = fileURLToPath(new URL(`histories/${name}`, import.meta.url));
  // Who ran it, and where, is nobody's business and no part of the replay.
  const text = JSON.stringify(JSON.parse(historyToJSON(history)), (key, value: unknown) =>
    key === "identity" ? "recorded" : value,
  );
  await writeFile(file, `${text}\n`);
}
await connection.close();
process.stdout.write(`recorded ${count} histories\n`);
