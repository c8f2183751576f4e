import type { ConsumerDefinition, ConsumerOpening, ConsumerSession, Observation } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { configSchema, sharedKeys, type FileConfig } from "./config.ts";
import { digestOf, heldIn, holdsAll, wantedOf } from "./content.ts";
import { deliver, placeOf, type Target } from "./deliver.ts";
import { nodeFileSystem, type FileSystem } from "./file-system.ts";
import { preflight } from "./preflight.ts";
import { rehearse } from "./rehearse.ts";
import { reload } from "./reload.ts";
import { readSideFile } from "./side-file.ts";
import { asTargetError } from "./target-error.ts";

export type { FileConfig } from "./config.ts";

function targetOf(config: FileConfig): string {
  return `file:${config.path}`;
}

async function observe(target: Target): Promise<Observation> {
  const place = await placeOf(target);
  const side = await readSideFile(place, target.fs);
  const held = heldIn(await target.fs.read(place.path), target.config);
  return {
    ...(side === undefined ? {} : { number: side.number }),
    digest: digestOf(held, target.name, target.digestKey),
    isEmpty: Object.values(held).every((text) => text === undefined || text === ""),
    holds: (value) => holdsAll(held, wantedOf(value, target.config), target.config),
  };
}

/** Lets only our errors and the caller's own cancellation out. */
async function guarded<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw asTargetError(error);
  }
}

function sessionOf(opening: ConsumerOpening<FileConfig>, context: ProviderContext, fs: FileSystem): ConsumerSession {
  const { config, allowed, digestKey } = opening;
  const { signal } = context;
  const target: Target = { config, name: targetOf(config), roots: allowed.roots, digestKey, fs, signal };
  const entry = config.reload;
  return {
    preflight: async (values) => guarded(signal, async () => preflight(target, allowed.reloads, values)),
    observe: async () => guarded(signal, async () => observe(target)),
    deliver: async (delivery) => guarded(signal, async () => deliver(target, delivery)),
    rehearse: async (value) => guarded(signal, async () => rehearse(target, value)),
    ...(entry === undefined ? {} : { reload: async () => reload(entry, allowed.reloads, signal) }),
  };
}

/** The definition over any file system; tests pass their own. */
export function fileOn(fs: FileSystem): ConsumerDefinition<FileConfig> {
  return {
    kind: "file",
    title: "A file on the worker's host",
    configSchema,
    targetOf,
    sharedKeys,
    fieldsOf: (config) => [...new Set(Object.values(config.keys))],
    noteOf: (target, consumer) =>
      `${target.replace(/^file:/, "")} must lie below a folder that REKEY_FILE_ROOTS of the worker (or of \`rekey up\`) names. Checked when a rotation begins, before anything is changed; now: rekey consumer test ${consumer}`,
    draft: (path, keys) => ({ path, format: "dotenv", keys }),
    open: async (opening, context) => sessionOf(opening, context, fs),
  };
}

export const file: ConsumerDefinition<FileConfig> = fileOn(nodeFileSystem);
