import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { confirm } from "./read-input.ts";
import { printable } from "./table.ts";
import { wrap } from "./wrap.ts";

export interface DeleteOptions {
  readonly credential?: string;
  readonly yes?: boolean;
}

/** `rekey delete`: says what it means, asks, deletes exactly that. */
export async function deleteOne(io: Io, kind: string, name: string, options: DeleteOptions): Promise<ExitCode> {
  const client = await io.client();
  const body = { kind, name, credential: options.credential };
  const planned = await client.call("deleteRegistered", { body });
  io.say(`- ${planned.ref} delete`, ...planned.notes.flatMap((note) => wrap(printable(note), "    ")));
  const isAgreed = options.yes === true || (process.stdin.isTTY && !io.isJson && (await confirm("Delete it?")));
  if (!isAgreed) throw usage("Nothing was deleted", "Add --yes to delete it without being asked.");
  const deleted = await client.call("deleteRegistered", { body: { ...body, digest: planned.digest } });
  io.give(deleted);
  io.say("Deleted. Its history stays: rekey audit list");
  return exitCodes.done;
}
