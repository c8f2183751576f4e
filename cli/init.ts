import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { Document, isMap, isScalar } from "yaml";
import { CliError, usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { inFolder, nextLines, problemLines, seenLines, stepLines, underRekeyLines } from "./init-lines.ts";
import type { Io } from "./io.ts";
import { readSecretInput } from "./read-input.ts";
import { withoutLineEnd } from "./secret-from.ts";
import { detailLines, waitForCheck } from "./wait-for-check.ts";

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
  const { role, host, port, database = "postgres", username = role, admin, file } = options;
  const question = {
    connection: { host, port, database, user: username, ...(await tlsOf(options)) },
    role,
    admin,
    ...(options.consumers === undefined ? {} : { consumers: addressOf(options.consumers) }),
  };
  if (file === undefined && options.key !== undefined)
    throw usage("--key is of a file, and --file names none", "Add --file with the application's dotenv file.");
  if (file !== undefined && !isAbsolute(file))
    throw usage(
      `--file ${file} is no absolute path`,
      "Write it from the root on, as the worker finds it: /srv/orders/app.env",
    );
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
      ...(file === undefined ? {} : { consumer: { path: file, keys } }),
    },
  });
  const check = await waitForCheck(io, client, checkId, options.timeout ?? 60_000);
  const found = check.result;
  if (found === null || !("steps" in found)) {
    io.give(check);
    io.say("The server could not be looked at. Nothing was changed:", ...check.findings.flatMap(detailLines));
    return exitCodes.failed;
  }
  if (found.manifests.length === 0) {
    io.give(check);
    io.say(...(found.isUnderRekey === true ? underRekeyLines(found) : problemLines(check.findings)));
    return found.isUnderRekey === true ? exitCodes.done : exitCodes.person;
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
    ...nextLines(found, folder, path, { ...options, isFileThere: file === undefined || (await isThere(file)) }),
  );
  return check.findings.length > 0 ? exitCodes.person : exitCodes.done;
}

/** Refuses to overwrite what a person may have corrected. */
export async function writeNew(folder: string, path: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (await isThere(path))
    throw new CliError(`${path} is there already`, "Move it away, or name another folder with --out.");
  await writeFile(path, text, { flag: "wx" });
}

const isThere = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function secretOf({ passwordFile: file }: InitOptions, username: string): Promise<string> {
  if (file === undefined) return readSecretInput(`Password of ${username}, to look with: `);
  const content = await readFile(file, "utf8").catch(() => "");
  if (content.trim() === "") throw usage(`The file ${file} cannot be read or is empty`, "Name a file of yours.");
  return withoutLineEnd(content);
}

/** With what a person has to know of the paths and numbers in it. */
export function manifestText(manifests: readonly object[]): string {
  const documents = manifests.map((one) => withComments(new Document(one)).toString({ lineWidth: 0 })).join("---\n");
  return `# The paths in secretFrom count from the folder in which rekey apply is run, not from this file.\n${documents}`;
}

/** Whom a look saw now is not always everybody. */
function withComments(document: Document): Document {
  const evidence = document.getIn(["spec", "evidence"]);
  for (const { key } of isMap(evidence) ? evidence.items : []) {
    const instances = document.getIn(["spec", "evidence", String(key), "instances"], true);
    if (isScalar(instances)) instances.comment = " how many addresses must be seen; raise it to your number of hosts";
  }
  return document;
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
