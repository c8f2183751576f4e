import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Answer } from "../api/client.ts";
import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { readManifestText } from "./manifest-text.ts";
import { confirm, readSecretInput } from "./read-input.ts";
import { readSecrets, type ReadFile, type ReadInput } from "./secret-from.ts";
import { printable } from "./table.ts";

export interface ApplyOptions {
  readonly file: readonly string[];
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
  readonly yes?: boolean;
}

type Plan = Answer<"applyManifests">;

/** `rekey apply`: shows the plan, asks, applies exactly what was shown. */
export async function apply(io: Io, options: ApplyOptions): Promise<ExitCode> {
  const body = { files: await readFiles(options.file) };
  const client = await io.client();
  const plan = await client.call("applyManifests", { body });
  const hasChanges = plan.items.some(({ action }) => action !== "unchanged");
  io.say(...planLines(plan));
  if (!hasChanges || options.dryRun === true) {
    io.give(plan);
    return hasChanges && options.exitCode === true ? exitCodes.pending : exitCodes.done;
  }
  if (options.yes !== true && !(await isAgreed(io)))
    throw usage("Nothing was applied", "Add --yes to apply it without being asked.");
  const applied = await client.call("applyManifests", { body: { ...body, planDigest: plan.digest } });
  io.give(applied);
  io.say("Applied.");
  return exitCodes.done;
}

async function isAgreed(io: Io): Promise<boolean> {
  return process.stdin.isTTY && !io.isJson && (await confirm("Apply it?"));
}

/** The API takes a body of 4 MiB, and JSON writes some characters as several. */
const mostTogether = 3_000_000;

export async function readFiles(names: readonly string[]): Promise<ReadFile[]> {
  const input = onceOnly();
  const files: ReadFile[] = [];
  for (const name of (await Promise.all(names.map(listed))).flat()) {
    const text = name === "-" ? await input(() => readManifestText(name)) : await readManifestText(name);
    files.push(await readSecrets(name, text, async () => input(() => readSecretInput("Secret: "))));
  }
  const together = files.reduce((sum, { text }) => sum + text.length, 0);
  if (together > mostTogether)
    throw usage(
      `The ${files.length} files have ${(together / 1_000_000).toFixed(1)} MB together, which is too much for one apply`,
      "Apply them in parts: teams, environments, policies and connections first.",
    );
  return files;
}

/** Standard input can be read once: either as a manifest or as one secret. */
function onceOnly(): (read: ReadInput) => Promise<string> {
  let isRead = false;
  return async (read) => {
    if (isRead) throw usage("Standard input is needed twice", "Use { file: PATH } for all secrets but one.");
    isRead = true;
    return read();
  };
}

/** A folder stands for the manifests in it. */
async function listed(name: string): Promise<readonly string[]> {
  const found = name === "-" ? undefined : await stat(name).catch(() => undefined);
  if (found?.isDirectory() !== true) return [name];
  const inside = (await readdir(name)).filter((entry) => /\.ya?ml$/.test(entry)).toSorted();
  if (inside.length === 0) throw usage(`${name} holds no .yaml file`, "Name a file, or a folder with manifests.");
  return inside.map((entry) => join(name, entry));
}

function planLines({ items }: Plan): readonly string[] {
  const marks = { create: "+", change: "~", unchanged: "=" } as const;
  const show = (value: unknown) => (value === null ? "nothing" : printable(JSON.stringify(value)));
  return items.flatMap(({ ref, action, changes, notes }) => [
    `${marks[action]} ${ref} ${action}${action === "unchanged" ? "" : ":"}`.replace(/:$/, ""),
    ...(action === "change" ? changes.map(({ field, from, to }) => `    ${field}: ${show(from)} → ${show(to)}`) : []),
    ...notes.map((note) => `    ${printable(note)}`),
  ]);
}
