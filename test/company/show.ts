// By hand: node test/company/show.ts [FOLDER]
// Starts rekey with a home of its own and a PostgreSQL for each environment of examples/company, lets some weeks of the
// company happen, and pastes what `policy explain`, `calendar` and `status` then print into its README. Takes some
// minutes. With a folder the commands' outputs are kept there too, and all goes on running until Ctrl-C.
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openClosers } from "../../demo/closers.ts";
import { hearInterrupts } from "../../demo/interrupts.ts";
import { findProgram, type RekeyProgram } from "../../demo/rekey-program.ts";
import { freePort } from "../../embedded/processes.ts";
import { atTerminal } from "../harness/terminal.ts";
import { startApplications } from "./applications.ts";
import { ofKind } from "./company.ts";
import { openLedgerAge, type LedgerAge } from "./ledger-age.ts";
import { paste } from "./pasted.ts";
import { openPlace } from "./place.ts";
import { startServer } from "./servers.ts";

const readme = fileURLToPath(new URL("../../examples/company/README.md", import.meta.url));
const columns = 100;

/** Registered today: nobody has told rekey yet what they log in with. */
const notAdopted = ["platform/sentry", "orders/search-indexer-staging"];
/** Its file was moved together with the application, and nobody told rekey. */
const moved = { credential: "platform/gitea", file: "platform/gitea.env" };
/** Due for days, over the connection that the held rotation keeps busy. */
const waiting = ["platform/keycloak", "platform/feature-flags"];
const stopped = "orders/orders-staging";
/** The sweep takes them at once, and staging is quick. */
const begun = ["keycloak-staging", "airflow-staging", "feature-flags-staging", "grafana-staging"].map(
  (name) => `platform/${name}`,
);

const commands = {
  "explain ledger-staging": ["policy", "explain", "payments/ledger-staging"],
  "explain checkout": ["policy", "explain", "payments/checkout"],
  calendar: ["calendar"],
  "calendar of payments": ["calendar", "--team", "payments", "--environment", "production", "--days", "30"],
  status: ["status"],
};

const closers = openClosers();
const interrupts = hearInterrupts(() => process.stdout.write("Stopping ...\n"));
const { signal } = interrupts;
const [kept] = process.argv.slice(2);
const began = performance.now();
function say(text: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  process.stdout.write(`${seconds.padStart(4)} s  ${text}\n`);
}

async function show(): Promise<void> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), "rk-company-"));
  closers.add(() => rm(folder, { recursive: true, force: true }));
  // Passable, not readable: PostgreSQL runs as another user when we are root.
  await chmod(folder, 0o711);
  const servers = await Promise.all(
    ofKind("Environment").map(({ metadata }) =>
      closers.begin(startServer(metadata.name, folder), (started) => started.stop()),
    ),
  );
  const place = await openPlace(folder, servers);
  await closers.begin(startApplications(place.applications), (started) => started.stop());
  say(`${servers.length} servers and ${place.applications.length} applications run`);

  const home = join(folder, "home");
  process.env["REKEY_EXEC_CONSUMERS_FILE"] = place.programs;
  const program = findProgram({
    ...{ home, signal, fileRoots: [place.root], port: await freePort() },
    logFile: join(folder, "up.log"),
  });
  await closers.begin(program.up(), (started) => started.stop());
  await program.run(["apply", "-f", place.manifests, "--yes"]);
  say("applied");
  const logins = servers.flatMap(({ today }) => [...today]).filter(([ref]) => !notAdopted.includes(ref));
  const adopting = Array.from({ length: 3 }, async () => {
    for (let next = logins.shift(); next !== undefined; next = logins.shift())
      await program.run(["credential", "adopt", next[0], "--username", next[1].user], `${next[1].password}\n`);
  });
  await Promise.all(adopting);
  say("adopted");

  const age = await closers.begin(openLedgerAge(home), (open) => open.close());
  await live(program, age, place.root);

  const env = { REKEY_HOME: home, REKEY_ADDRESS: "", REKEY_TOKEN_FILE: "" };
  const blocks: Record<string, string> = {};
  for (const [name, args] of Object.entries(commands)) {
    const { code, shown } = await atTerminal(args, env, columns).ended;
    const ends = code === 0 ? "" : `\n$ echo $?\n${code ?? ""}`;
    blocks[name] = `$ rekey ${args.join(" ")}\n${shown.replaceAll("\r", "").trimEnd()}${ends}`;
  }
  await writeFile(readme, paste(await readFile(readme, "utf8"), blocks));
  say("pasted");
  if (kept === undefined) return;
  await mkdir(kept, { recursive: true });
  for (const [name, text] of Object.entries(blocks)) await writeFile(join(kept, `${name}.txt`), text);
  say(`REKEY_HOME=${home}; Ctrl-C ends it`);
  await interrupts.wanted;
}

/** Some weeks of the company, in a few minutes. */
async function live(program: RekeyProgram, age: LedgerAge, root: string): Promise<void> {
  const until = async (text: string, isSo: (row: Record<string, unknown> | undefined) => boolean): Promise<void> => {
    while (!isSo((await age.rows(text))[0])) await sleep(1_000, undefined, { signal });
  };
  const untilReckoned = () =>
    until(
      "SELECT count(*)::int AS n FROM credentials WHERE NOT is_reckoned AND current_version IS NOT NULL",
      (row) => row?.["n"] === 0,
    );
  await untilReckoned();
  await age.ageAll();
  await untilReckoned();
  await age.overdue(begun, 0);
  await until(
    "SELECT count(*)::int AS n FROM rotations WHERE outcome = 'proven'",
    (row) => Number(row?.["n"]) >= begun.length,
  );
  say("the first rotations are proven");
  await rm(join(root, moved.file), { force: true });
  await program.run(["rotate", moved.credential]);
  await until("SELECT count(*)::int AS n FROM holds WHERE decided_at IS NULL", (row) => Number(row?.["n"]) > 0);
  say("one waits for a person");
  await age.overdue(waiting, 3);
  await program.run(["rotate", stopped]);
  await program.run(["rotation", "pause", stopped]);
  const ends = new Date(Date.now() + 4 * 24 * 3_600_000);
  ends.setUTCHours(7, 0, 0, 0);
  const week = ["--reason", "The week of the big sale", "--until", ends.toISOString()];
  await program.run(["freeze", "declare", "--team", "orders", ...week]);
  await untilReckoned();
  say("frozen");
}

try {
  await show();
} catch (error) {
  if (!signal.aborted) throw error;
} finally {
  await closers.close();
}
process.exitCode = interrupts.exitCode();
