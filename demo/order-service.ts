// A small shop in a process of its own. It knows nothing of rekey: it reads its login from a dotenv file, notices when
// the file changes, opens a new pool and closes the old one when its work is done.
import { watch } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { endWithParent, say } from "./child-side.ts";
import { readLogin } from "./login-file.ts";
import { createOrders, newestMigration, placeOrder, runMigration } from "./shop-statements.ts";
import { openSwappingPool, sqlState } from "./swapping-pool.ts";

const { values: options } = parseArgs({
  options: {
    file: { type: "string" },
    port: { type: "string", default: "0" },
    sessions: { type: "string", default: "4" },
    "migrate-every": { type: "string", default: "1000" },
    "poll-every": { type: "string", default: "500" },
    stubborn: { type: "boolean", default: false },
  },
});
const file = options.file;
if (file === undefined) throw new Error("order-service: --file is missing.");

const pool = openSwappingPool("order-service", Number(options.sessions));
let isStubborn = options.stubborn;
let ordersPlaced = 0;
let migrations = 0;
let reloads = 0;

const first = await readLogin(file);
let inUse = JSON.stringify(first);
await pool.use(first);
await pool.run(createOrders);
const newest = await pool.run(newestMigration);

let looking: Promise<void> = Promise.resolve();
const look = (): void => void (looking = looking.then(reloadIfChanged));

/** A login that is refused keeps the present pool: the next look tries again. */
async function reloadIfChanged(): Promise<void> {
  if (isStubborn) return;
  try {
    const login = await readLogin(file ?? "");
    const text = JSON.stringify(login);
    if (text === inUse) return;
    await pool.use(login);
    inUse = text;
    reloads++;
    say("reloaded", { user: login.user });
  } catch (error) {
    say("reload_failed", { code: sqlState(error) ?? "unreadable" });
  }
}

// The folder, because the file itself is replaced; some file systems tell nothing, so it also looks by itself.
const watcher = watch(dirname(file), (_, name) => {
  if (name === null || name === basename(file)) look();
});
const poll = setInterval(look, Number(options["poll-every"]));
let migrating: Promise<void> = Promise.resolve();
const migrateTimer = setInterval(() => {
  migrating = migrating
    .then(() => pool.run((client) => runMigration(client, newest + migrations + 1)))
    .then(() => void migrations++)
    .catch((error: unknown) => say("migration_failed", { code: sqlState(error) ?? "unknown" }));
}, Number(options["migrate-every"]));

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  const what = `${request.method} ${request.url}`;
  if (what === "GET /stats") {
    answer(response, 200, { user: pool.user(), isStubborn, ordersPlaced, migrations, reloads, ...pool.counts });
  } else if (what === "POST /orders") {
    try {
      const id = await pool.run((client) => placeOrder(client, "tea"));
      ordersPlaced++;
      answer(response, 201, { id });
    } catch (error) {
      const code = sqlState(error) ?? "unknown";
      say("order_failed", { code });
      answer(response, 500, { failed: "order", code });
    }
  } else if (what === "PUT /stubborn" || what === "DELETE /stubborn") {
    isStubborn = request.method === "PUT";
    look();
    answer(response, 200, { isStubborn });
  } else answer(response, 404, { failed: "address" });
}

const server = createServer((request, response) => void handle(request, response));
server.listen(Number(options.port), "127.0.0.1", () => {
  const address = server.address();
  say("listening", { port: typeof address === "object" ? address?.port : undefined, user: pool.user() });
});

endWithParent(async () => {
  watcher.close();
  clearInterval(poll);
  clearInterval(migrateTimer);
  server.close();
  server.closeIdleConnections();
  await Promise.all([looking, migrating]);
  await pool.close();
  server.closeAllConnections();
});
