import type { Answer } from "../api/client.ts";
import { readFiles } from "./apply.ts";
import { usage } from "./cli-error.ts";
import type { ConsumerOptions } from "./consumer.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { confirm } from "./read-input.ts";
import { printable } from "./table.ts";
import { wrap } from "./wrap.ts";

export interface RegisterOptions {
  readonly file: readonly string[];
  readonly dryRun?: boolean;
}

type Item = Answer<"registerConsumer">["items"][number];

/** `rekey consumer register`: asks the owners of credentials for consumers; nothing is delivered before they say yes. */
export async function register(io: Io, { file, dryRun = false }: RegisterOptions): Promise<ExitCode> {
  // No consumer's manifest has a secret; one that stands in another is refused, and not sent.
  const files = (await readFiles(file)).map(({ name, text }) => ({ name, text }));
  const client = await io.client();
  const answer = await client.call("registerConsumer", { body: { files, dryRun } });
  io.give(answer);
  io.say(...answer.items.flatMap((item) => itemLines(item, dryRun)));
  return exitCodes.done;
}

function itemLines(
  { ref, credential, action, changes, notes, digest, grant }: Item,
  isDry: boolean,
): readonly string[] {
  if (action === "unchanged") return [`= ${ref} of ${credential} unchanged`];
  const said = [
    `${action === "create" ? "+" : "~"} ${ref} of ${credential} ${action}`,
    ...(action === "change" ? changeLines(changes) : []),
    ...notes.flatMap((note) => wrap(`Once approved: ${printable(note)}`, "    ")),
  ];
  if (grant === null)
    return [...said, isDry ? "    Nothing was asked for: it is a dry run." : "    Nothing was asked for."];
  return [
    ...said,
    `    ${grant.isNew ? "Asked for" : "It waits already"}: ${grant.id}, digest ${digest}`,
    `    Its credential's owner decides, and nothing is delivered before: rekey grant show ${grant.id}`,
  ];
}

export function changeLines(changes: Item["changes"]): readonly string[] {
  const show = (value: unknown) => (value === null ? "nothing" : printable(JSON.stringify(value)));
  return changes.map(({ field, from, to }) => `    ${printable(field)}: ${show(from)} → ${show(to)}`);
}

export interface RetireOptions extends ConsumerOptions {
  readonly yes?: boolean;
}

/** `rekey consumer retire`: says what it means, asks, does exactly that. */
export async function retire(io: Io, consumer: string, { credential, yes }: RetireOptions): Promise<ExitCode> {
  const client = await io.client();
  const params = { consumer };
  const planned = await client.call("retireConsumer", { params, body: { credential } });
  io.say(`- ${planned.ref} retire`, ...planned.notes.flatMap((note) => wrap(printable(note), "    ")));
  const isAgreed = yes === true || (process.stdin.isTTY && !io.isJson && (await confirm("Retire it?")));
  if (!isAgreed) throw usage("Nothing was retired", "Add --yes to retire it without being asked.");
  io.give(await client.call("retireConsumer", { params, body: { credential, digest: planned.digest } }));
  io.say("Retired. Its history stays.");
  return exitCodes.done;
}

export interface AcknowledgeOptions extends ConsumerOptions {
  readonly version: number;
}

/** `rekey consumer ack` */
export async function acknowledge(
  io: Io,
  consumer: string,
  { credential, version }: AcknowledgeOptions,
): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("acknowledgeConsumer", { params: { consumer }, body: { credential, version } });
  io.give(answer);
  io.say(
    answer.isNew
      ? `Acknowledged, in your name. The next step of ${answer.rotationId} hears it: rekey rotation watch ${answer.rotationId}`
      : "The same waits to be heard already.",
  );
  return exitCodes.done;
}
