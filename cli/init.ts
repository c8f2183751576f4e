import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Answer } from "../api/client.ts";
import { CliError, usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { readSecretInput } from "./read-input.ts";
import { withoutLineEnd } from "./secret-from.ts";
import { printable, table } from "./table.ts";
import { findingLines, waitForCheck } from "./wait-for-check.ts";
import { wrap } from "./wrap.ts";

export interface InitOptions {
  readonly host: string;
  readonly port?: number;
  readonly database?: string;
  readonly role: string;
  readonly username?: string;
  readonly passwordFile?: string;
  readonly admin?: string;
  readonly ca?: string;
  readonly tlsUnverified?: boolean;
  readonly consumers?: string;
  readonly team?: string;
  readonly environment?: string;
  readonly name?: string;
  readonly file?: string;
  readonly key?: readonly string[];
  readonly out?: string;
  readonly timeout?: number;
}

const usualKeys = { DB_USER: "username", DB_PASSWORD: "password" };

/** `rekey init postgres`: looks at a server with a login given for this once; prints what to run, and runs nothing. */
export async function initPostgres(io: Io, options: InitOptions): Promise<ExitCode> {
  const { role, host, port, database = "postgres", username = role, admin } = options;
  const question = {
    connection: { host, port, database, user: username, ...(await tlsOf(options)) },
    role,
    admin,
    ...(options.consumers === undefined ? {} : { consumers: addressOf(options.consumers) }),
  };
  if (options.file === undefined && options.key !== undefined)
    throw usage("--key is of a file, and --file names none", "Add --file with the application's dotenv file.");
  const keys = options.key === undefined ? usualKeys : keysOf(options.key);
  const client = await io.client();
  const { checkId } = await client.call("startInit", {
    params: { name: "postgres" },
    body: {
      question,
      secret: await secretOf(options, username),
      team: options.team ?? "main",
      environment: options.environment ?? "production",
      credential: options.name ?? nameFrom(role),
      ...(options.file === undefined ? {} : { consumer: { path: options.file, keys } }),
    },
  });
  const check = await waitForCheck(io, client, checkId, options.timeout ?? 60_000);
  const found = check.result;
  if (found === null || !("steps" in found)) {
    io.give(check);
    io.say("The server could not be looked at. Nothing was changed:", ...check.findings.flatMap(findingLines));
    return exitCodes.failed;
  }
  const folder = options.out ?? ".";
  const manifests = inFolder(found.manifests, folder);
  io.give({ ...check, result: { ...found, manifests } });
  const text = manifestText(manifests);
  const path = join(folder, `${found.credential.replace("/", "-")}.yaml`);
  if (options.out !== undefined) await writeNew(folder, path, text);
  io.say(
    ...seenLines(found),
    ...problemLines(check.findings),
    ...found.steps.flatMap(stepLines),
    ...(options.out === undefined ? ["Manifests", "", text] : [`The manifests are in ${path}.`, ""]),
    ...nextLines(found, folder, path, options),
  );
  return check.findings.length > 0 ? exitCodes.person : exitCodes.done;
}

type Found = Extract<Answer<"showCheck">["result"], { steps: unknown }>;

function seenLines({ seen }: Found): readonly string[] {
  return ["What was seen", ...table(seen.map(({ name, text }) => [`  ${name}`, printable(text)])), ""];
}

function problemLines(findings: Answer<"showCheck">["findings"]): readonly string[] {
  if (findings.length === 0) return [];
  return ["In the way", ...findings.flatMap(findingLines), ""];
}

/** What is to be pasted stands at the margin, so that nothing but it is copied. */
function stepLines(step: Found["steps"][number], index: number): readonly string[] {
  return [
    `Step ${index + 1}. ${printable(step.title)}`,
    ...wrap(printable(step.why), "  "),
    `  In ${step.where}:`,
    "",
    asTyped(step.run),
    "",
    "  To take it back, before the first rotation:",
    "",
    asTyped(step.undo),
    "",
  ];
}

/** What the server says of a login could move the cursor of whoever reads what to paste. */
const asTyped = (text: string): string => text.split("\n").map(printable).join("\n");

function nextLines(found: Found, folder: string, path: string, { out, file }: InitOptions): readonly string[] {
  const password = passwordFile(found.manifests, folder);
  return [
    "Then",
    ...(out === undefined ? [`  Put the manifests into a file, such as ${path}.`] : []),
    `  Put the password of step "Give it a password" into ${password}, for you alone. Run this, type the password, Enter, Ctrl-D:`,
    `  (umask 077; cat > ${password})`,
    ...(file === undefined
      ? [
          "  No Consumer is in the manifests. A file: run this again with --file PATH. Kubernetes: docs/kubernetes.md. Before you rotate.",
        ]
      : []),
    `  rekey apply -f ${path}`,
    `  rekey credential adopt ${found.credential} --username ${word(found.username)}`,
    `  rekey rotation plan ${found.credential}`,
    `  rekey rotate ${found.credential} --wait`,
  ];
}

const word = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

function passwordFile(manifests: Found["manifests"], folder: string): string {
  const sources = manifests.map(({ spec }) => spec?.["secretFrom"] as { readonly file: string } | undefined);
  return join(folder, sources.find((source) => source !== undefined)?.file ?? "");
}

/** The file with the connection's secret lies beside the manifests. */
function inFolder(manifests: Found["manifests"], folder: string): Found["manifests"] {
  const file = passwordFile(manifests, folder);
  return manifests.map((one) =>
    one.spec?.["secretFrom"] === undefined ? one : { ...one, spec: { ...one.spec, secretFrom: { file } } },
  );
}

/** Refuses to overwrite what a person may have corrected. */
export async function writeNew(folder: string, path: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw new CliError(`${path} is there already`, "Move it away, or name another folder with --out.");
  await writeFile(path, text, { flag: "wx" });
}

async function secretOf({ passwordFile: file }: InitOptions, username: string): Promise<string> {
  if (file === undefined) return readSecretInput(`Password of ${username}, to look with: `);
  const content = await readFile(file, "utf8").catch(() => "");
  if (content.trim() === "") throw usage(`The file ${file} cannot be read or is empty`, "Name a file of yours.");
  return withoutLineEnd(content);
}

/** With what a person has to know of the paths in it. */
export function manifestText(manifests: readonly object[]): string {
  const documents = manifests.map((one) => stringify(one, { lineWidth: 0 })).join("---\n");
  return `# The paths in secretFrom count from the folder in which rekey apply is run, not from this file.\n${documents}`;
}

async function tlsOf({ ca, tlsUnverified }: InitOptions) {
  if (ca !== undefined) {
    const text = await readFile(ca, "utf8").catch(() => undefined);
    if (text === undefined) throw usage(`The file ${ca} cannot be read`, "Name the certificate of the authority, PEM.");
    return { tls: { mode: "verify", ca: text } };
  }
  return tlsUnverified === true ? { tls: { mode: "verify", unverified: true } } : {};
}

function addressOf(text: string): { host: string; port?: number } {
  const [, host = "", port] = /^(.+?)(?::(\d{1,5}))?$/.exec(text) ?? [];
  return port === undefined ? { host } : { host, port: Number(port) };
}

export function keysOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, variable = "", field = ""] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
      if (field === "") throw usage(`--key ${pair} is no pair`, "Write it as DB_USER=username.");
      return [variable, field];
    }),
  );
}

/** A name for the credential that manifests take. */
function nameFrom(role: string): string {
  const name = role.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return name.slice(0, 40).replaceAll(/^-+|-+$/g, "") || "login";
}
