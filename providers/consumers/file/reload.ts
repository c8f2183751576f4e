import type { ReloadEntry } from "../../contract/consumer.ts";
import { notReloaded } from "./not-reloaded.ts";
import { runCommand } from "./run-command.ts";
import { sendSignal } from "./send-signal.ts";

/** Tells the application to read its file again, by an entry of the worker's settings. */
export async function reload(
  name: string,
  reloads: Readonly<Record<string, ReloadEntry>>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const entry = Object.hasOwn(reloads, name) ? reloads[name] : undefined;
  if (entry === undefined)
    return notReloaded(`The worker's settings have no reload "${name}". Add it there, then retry.`);
  if ("signal" in entry) await sendSignal(name, entry.pidFile, entry.signal);
  else await runCommand(name, entry, signal);
}
