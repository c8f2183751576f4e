// The command line. Each command is a function in its own file; this one only says which there are.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { version } from "../api/client.ts";
import { apply, type ApplyOptions } from "./apply.ts";
import { listAudit, verifyAudit } from "./audit.ts";
import { recordKeyCopy } from "./custody.ts";
import { doctor } from "./doctor.ts";
import { decide, give, type CommandOptions, type DecideOptions } from "./command.ts";
import { dismissProposal, listProposals, showProposal, type ProposalsOptions } from "./proposals.ts";
import { listConsumers, showConsumer, testConsumer, type ConsumerOptions, type TestOptions } from "./consumer.ts";
import { adopt, listCredentials, showCredential, type AdoptOptions } from "./credential.ts";
import { move, type MoveOptions } from "./move.ts";
import { deleteOne, type DeleteOptions } from "./delete.ts";
import { demo } from "./demo.ts";
import { exitCodeLines, exitCodes } from "./exit-codes.ts";
import { exportRegistered } from "./export.ts";
import { initPostgres, type InitOptions } from "./init.ts";
import { initKubernetes, type InitKubernetesOptions } from "./init-kubernetes.ts";
import { fail, run, type GlobalOptions, type Work } from "./io.ts";
import { addGrantCommands } from "./grant-commands.ts";
import { addEmergencyCommands, addReleaseCommand } from "./emergency-commands.ts";
import { list, plan, show } from "./rotation.ts";
import { addNoticeCommands } from "./notice.ts";
import { addLeakCommands } from "./leak-commands.ts";
import { addReceiptCommands } from "./receipt-commands.ts";
import { addRoutineCommands } from "./routine-commands.ts";
import { createKeys, runMigrate, runServe, runWorker, type MigrateOptions, type ServeOptions } from "./run-program.ts";
import { printSchema } from "./schema.ts";
import { addTokenCommands } from "./token-commands.ts";
import { up } from "./up.ts";
import { usageError } from "./usage-error.ts";
import { watch } from "./watch.ts";

const words = process.argv.slice(2);
/** Asked before the words are parsed: they may not parse. */
const isJson = words.includes("--json");

const program = new Command("rekey")
  .description(
    "Rotates credentials: proves that every consumer moved before the old one ends, and that it is dead after.",
  )
  .option("--home <folder>", "the folder with the embedded servers, the keys and the token")
  .option("--json", "answer with JSON, one line for each answer")
  .addHelpText("after", ["", ...exitCodeLines()].join("\n"))
  .exitOverride()
  // The catch at the end tells mistakes, as all others are told.
  .configureOutput({ outputError: () => undefined, ...(isJson ? { writeErr: () => undefined } : {}) });

// `consumer ack` and `rotate` have a --version of their own, which the program's would take from them.
if (!(words.includes("consumer") && words.includes("ack")) && !words.includes("rotate"))
  program.version(version, "--version", "the release of this program");

/** Work that gets the settings and prints its errors. */
const act = (work: Work): Promise<void> => run(program.opts<GlobalOptions>(), work);

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function duration(text: string): number {
  const [, count, unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * (units[unit] ?? Number.NaN);
  if (Number.isSafeInteger(ms) && ms > 0) return ms;
  throw new InvalidArgumentError("Write a number with its unit, such as 30s, 15m or 2h.");
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Write a whole number.");
}

const mostRows = 500;

function rowCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= mostRows) return count;
  throw new InvalidArgumentError(`Write a whole number from 1 to ${mostRows}.`);
}

const collect = (value: string, all: readonly string[] = []) => [...all, value];
const reason = () => new Option("--reason <text>", "in your words, stored as typed: no secret");
const limit = () => new Option("--limit <number>", "how many at most; 100 without it").argParser(rowCount);
const timeout = () => new Option("--timeout <duration>", "wait no longer, such as 10m").argParser(duration);

program
  .command("up")
  .description("run everything on this machine")
  .addHelpText(
    "after",
    "\nREKEY_FILE_ROOTS names the folders in which it may write files. All settings: docs/settings.md.",
  )
  .action(() => act(up));
program
  .command("serve")
  .description("run the API alone")
  .option("--listen <host:port>", "another address than loopback needs TLS; docs/access.md says how")
  .action((options: ServeOptions) => act((io) => runServe(io, options)));
program
  .command("worker")
  .description("run a worker alone")
  .action(() => act(runWorker));
program
  .command("migrate")
  .description("bring the ledger's schema up to date, as the login that owns it")
  .option("--grant-to <login>", "and give the login of serve and workers its rights: all but to change the audit trail")
  .option("--check", "change nothing: end well once the schema is this program's")
  .addOption(new Option("--timeout <duration>", "wait so long for that, such as 10m").argParser(duration))
  .action((options: MigrateOptions) => act((io) => runMigrate(io, options)));
program
  .command("keys")
  .description("what values and the audit trail are kept with")
  .command("create")
  .description("make the key files that the settings name, where there are none yet, to give to serve and workers")
  .action(() => act(createKeys));
program
  .command("demo")
  .description("four rotations under live traffic, from nothing, in a minute")
  .option("--keep", "leave everything running at the end")
  .action(async ({ keep }: { keep?: boolean }) => {
    const { json } = program.opts<GlobalOptions>();
    process.exitCode = await demo({ ...(keep === true ? { keep } : {}), ...(json === true ? { json } : {}) });
  });

const init = program
  .command("init")
  .description("look at a system before anything is registered, and print what it takes; nothing is changed there");
init
  .command("kubernetes")
  .description("a Secret that pods read: the service account, its least rights and the manifests; no cluster is asked")
  .requiredOption("--credential <team/name>", "what the Secret is to get")
  .requiredOption("--namespace <name>", "where the Secret lies")
  .requiredOption("--secret <name>", "the Secret, which is there already")
  .requiredOption("--key <key=field>", "a key of it, and what it holds: DATABASE_USER=username", collect)
  .option("--workload <kind/name>", "what reads the keys, such as Deployment/orders; each of them", collect)
  .option("--server <url>", "the API server, as workers reach it")
  .option("--ca <file>", "the cluster's certificate authority, PEM")
  .option("--environment <name>", "production without it")
  .option("--out <folder>", "write the manifests there")
  .action((options: InitKubernetesOptions) => act((io) => initKubernetes(io, options)));
init
  .command("postgres")
  .description("one ordinary login of a PostgreSQL server that an application has today")
  .requiredOption("--host <name>", "the server itself, not a pooler")
  .option("--port <number>", "5432 without it", wholeNumber)
  .option("--database <name>", "the one that the application works in; postgres without it")
  .requiredOption("--role <name>", "the application's login")
  .option("--username <login>", "the login to look with; a superuser sees most, the application's own is enough")
  .option("--password-file <file>", "its password; without it the password comes on standard input")
  .option("--admin <name>", "the login that rekey is to work with; rekey_admin without it")
  .option("--ca <file>", "the certificate authority of the server's TLS, PEM")
  .option("--tls-unverified", "a recorded exception: the server's certificate is not checked")
  .option("--consumers <host:port>", "where the application connects to, such as a pooler's address")
  .option("--team <name>", "who owns the credential; main without it")
  .option("--environment <name>", "production without it")
  .option("--name <name>", "of the credential; after the login without it")
  .option("--file <path>", "the application's dotenv file that holds its login")
  .option("--key <variable=field>", "a variable in it, and what it holds: DB_USER=username, DB_URL=url", collect)
  .option("--out <folder>", "write the manifests there")
  .addOption(timeout())
  .action((options: InitOptions) => act((io) => initPostgres(io, options)));
program
  .command("apply")
  .description("register what manifests say; shows the plan first")
  .requiredOption("-f, --file <file>", "a manifest, a folder with manifests, or - for standard input", collect)
  .option("--dry-run", "only show the plan")
  .option("--exit-code", "with --dry-run: end with 5 when there is something to change")
  .option("--yes", "apply without being asked; needed without a terminal")
  .action((options: ApplyOptions) => act((io) => apply(io, options)));
program
  .command("export")
  .description("print what is registered as manifests, without secrets")
  .argument("[kind]", "of this kind only: team, environment, policy, connection, credential, consumer or notice")
  .argument("[name]", "this one only: team/name")
  .action((kind?: string, name?: string) => act((io) => exportRegistered(io, kind, name)));
program
  .command("delete")
  .description("take one object out of the registry; its history stays, and outside nothing is touched")
  .argument("<kind>", "team, environment, policy, connection, credential, consumer or notice")
  .argument("<name>", "team/name, or the name of a team or environment")
  .option("--credential <name>", "of a consumer: its credential, where several have one of that name")
  .option("--yes", "delete without being asked; needed without a terminal")
  .action((kind: string, name: string, options: DeleteOptions) => act((io) => deleteOne(io, kind, name, options)));
program
  .command("schema")
  .description("print the JSON Schema of manifests, for editors")
  .action(() => act(printSchema));

addEmergencyCommands(program, act, { reason, timeout, limit, duration, wholeNumber });

const credential = program.command("credential").description("what is rotated");
credential
  .command("list")
  .description("all of them, with what each stands at")
  .option("--team <name>", "of this team only")
  .option("--environment <name>", "in this environment only")
  .option("-l, --selector <labels>", "with these labels only, as kubectl takes them: tier=gold,region!=eu,audited,!old")
  .addOption(limit())
  .action((options: Parameters<typeof listCredentials>[1]) => act((io) => listCredentials(io, options)));
credential
  .command("show")
  .description("one with its logins, policy, versions and consumers")
  .argument("<credential>", "team/name")
  .action((name: string) => act((io) => showCredential(io, name)));
credential
  .command("adopt")
  .description("take the value it has today as version 1, unchanged; the secret comes on standard input")
  .argument("<credential>", "team/name")
  .option("--username <name>", "the login that the value belongs to")
  .option("--unknown", "nobody knows the value: record the login alone; the first rotation then asks before it goes on")
  .option("--field <name=value>", "another field that is no secret", collect)
  .addOption(timeout())
  .action((name: string, options: AdoptOptions) => act((io) => adopt(io, name, options)));

credential
  .command("move")
  .description("take its values to another place of custody; no rotation of it begins meanwhile")
  .argument("<credential>", "team/name")
  .requiredOption("--custody <place>", "one that REKEY_CUSTODIES_FILE names, or embedded")
  .addOption(timeout())
  .action((name: string, options: MoveOptions) => act((io) => move(io, name, options)));

const consumer = program.command("consumer").description("one place that runs on a credential's current version");
const whichConsumer = ["<consumer>", "team/name"] as const;
const ofCredential = () => new Option("--credential <credential>", "where several consumers have one name");
addReleaseCommand(consumer, act, ofCredential);
consumer
  .command("list")
  .description("all of them, with the evidence that each gives")
  .option("--team <name>", "of this team only")
  .option("--credential <credential>", "of this one only")
  .addOption(limit())
  .action((options: Parameters<typeof listConsumers>[1]) => act((io) => listConsumers(io, options)));
consumer
  .command("show")
  .description("where its value goes, which evidence it gives and could give, and what to write for that")
  .argument(...whichConsumer)
  .addOption(ofCredential())
  .action((name: string, options: ConsumerOptions) => act((io) => showConsumer(io, name, options)));
consumer
  .command("test")
  .description("try delivery and evidence against today's version, without touching it")
  .argument(...whichConsumer)
  .addOption(ofCredential())
  .addOption(timeout())
  .action((name: string, options: TestOptions) => act((io) => testConsumer(io, name, options)));

const proposals = consumer
  .command("proposals")
  .description("who was seen on a credential and is no registered consumer")
  .option("--credential <credential>", "of this one only")
  .option("--settled", "also those that are registered by now, or dismissed")
  .addOption(limit())
  .action((options: ProposalsOptions) => act((io) => listProposals(io, options)));
const whichProposal = ["<proposal>", "its id, prp_…"] as const;
proposals
  .command("show")
  .description("print the manifest that would register it, ready to be changed and applied")
  .argument(...whichProposal)
  .action((id: string) => act((io) => showProposal(io, id)));
proposals
  .command("dismiss")
  .description("record that no consumer is wanted for it; a rotation that meets it asks all the same")
  .argument(...whichProposal)
  .requiredOption("--reason <text>", "why, as others will read it")
  .action((id: string, options: { reason: string }) => act((io) => dismissProposal(io, id, options)));

addGrantCommands(program, { consumer, credential }, { act, collect, wholeNumber, reason, limit, ofCredential });

const rotation = program.command("rotation").description("one replacement of a version");
const which = "<rotation>";
const whichText = "its id, or a credential whose open or last rotation is meant";
rotation
  .command("plan")
  .description("all that a rotation would do, with every call")
  .argument("<credential>", "team/name")
  .action((name: string) => act((io) => plan(io, name)));
rotation
  .command("list")
  .description("newest first, with where each stands")
  .option("--credential <credential>", "of this one only")
  .option("--open", "only those that are not closed")
  .addOption(limit())
  .action((options: Parameters<typeof list>[1]) => act((io) => list(io, options)));
rotation
  .command("show")
  .description("where it is, what it waits for, and what you can do")
  .argument(which, whichText)
  .action((name: string) => act((io) => show(io, name)));
rotation
  .command("watch")
  .description("follow it until it is closed")
  .argument(which, whichText)
  .addOption(timeout())
  .action((name: string, options: { timeout?: number }) => act((io) => watch(io, name, options)));
for (const [kind, text] of [
  ["pause", "do nothing more until it is resumed"],
  ["resume", "go on"],
  ["abort", "undo it; refused past the point of no return"],
] as const)
  rotation
    .command(kind)
    .description(text)
    .argument(which, whichText)
    .addOption(reason())
    .action((name: string, options: CommandOptions) => act((io) => give(io, name, { kind }, options)));
rotation
  .command("extend")
  .description("make the grace longer")
  .argument(which, whichText)
  .argument("<by>", "such as 30m", duration)
  .addOption(reason())
  .action((name: string, byMs: number, options: CommandOptions) =>
    act((io) => give(io, name, { kind: "extend", byMs }, options)),
  );
for (const [decision, text] of [
  ["retry", "answer its hold: try the step again"],
  ["roll-back", "answer its hold: undo the rotation"],
  ["accept", "answer its hold: go on although its gaps are open, in your name"],
] as const)
  rotation
    .command(decision)
    .description(text)
    .argument(which, whichText)
    .option("--hold <number>", "the hold that you have read", wholeNumber)
    .option("--gaps <numbers>", "the gaps that you accept: 1,2 or all")
    .addOption(reason())
    .action((name: string, options: DecideOptions) => act((io) => decide(io, name, decision, options)));

program
  .command("doctor")
  .description("look at everything that rotations need, changing nothing; worst first, each with what to do")
  .addHelpText(
    "after",
    "\nEnds with 1 when something is bad, with 3 when only a person's answer is missing. REKEY_DOCTOR_LOOK_MS bounds each look.",
  )
  .action(() => act(doctor));
program
  .command("custody")
  .description("where values rest while they are needed")
  .command("copied")
  .description("note that the custody key's file is kept elsewhere too; rekey doctor says how")
  .action(() => act(recordKeyCopy));

addNoticeCommands(program, act, { limit, timeout });
addLeakCommands(program, act, { timeout });
addRoutineCommands(program, act, { limit, wholeNumber });
addTokenCommands(program, act, { limit, duration });

const audit = program.command("audit").description("what happened, by whom");
audit
  .command("list")
  .description("what has happened, newest first")
  .option("--credential <credential>", "about this one only")
  .option("--rotation <rotation>", "about this one only")
  .addOption(limit())
  .action((options: Parameters<typeof listAudit>[1]) => act((io) => listAudit(io, options)));
audit
  .command("verify")
  .description("check the whole chain and name the first bad row")
  .option("--anchor <file>", "a head that was exported earlier")
  .action((options: { anchor?: string }) => act((io) => verifyAudit(io, options)));

addReceiptCommands(program, { rotation, audit }, act, { timeout, which: [which, whichText], collect });

function inherit(parent: Command): void {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent);
    inherit(child);
  }
}
inherit(program);

// Whoever reads a help may stop before its end.
process.stdout.on("error", () => undefined);
try {
  await program.parseAsync();
} catch (error) {
  const told = error instanceof CommanderError ? usageError(program, words, error) : error;
  if (told === undefined) process.exitCode = exitCodes.done;
  else fail(told, isJson);
}
