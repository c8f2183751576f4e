// Somebody's report that was started by hand months ago: it logged in once with what the file held, keeps that one
// session open, and nobody has registered it. It never logs in again.
import pg from "pg";
import { parseArgs } from "node:util";
import { endWithParent, say } from "./child-side.ts";
import { readLogin } from "./login-file.ts";
import { sqlState } from "./swapping-pool.ts";

const { values: options } = parseArgs({
  options: {
    file: { type: "string" },
    name: { type: "string", default: "forgotten-report" },
    every: { type: "string", default: "300" },
  },
});
if (options.file === undefined) throw new Error("forgotten-session: --file is missing.");

const login = await readLogin(options.file);
const client = new pg.Client({ ...login, application_name: options.name });
let isOver = false;
function over(error: unknown): void {
  if (isOver) return;
  isOver = true;
  say("session_ended", { code: sqlState(error) ?? "closed" });
}
client.on("error", over).on("end", () => over(undefined));
await client.connect();
say("session_open", { user: login.user });

const timer = setInterval(() => {
  if (!isOver) client.query("SELECT count(*) FROM orders").catch(over);
}, Number(options.every));

endWithParent(async () => {
  clearInterval(timer);
  if (isOver) return;
  isOver = true;
  await client.end();
});
