import { OperatorNeededError, TransientError } from "../../../domain/errors.ts";
import type { Delivery } from "../../contract/consumer.ts";
import { allowedPlace, type Place } from "./allowed-place.ts";
import { modeOf, type FileConfig } from "./config.ts";
import { changed, digestOf, heldIn, holdsAll, wantedOf } from "./content.ts";
import type { FileSystem } from "./file-system.ts";
import { stagedPath } from "./side-file.ts";
import { hasTurn, removeQuietly, takeTurn } from "./take-turn.ts";

/** One registered file, as the worker that holds it sees it. */
export interface Target {
  readonly config: FileConfig;
  /** `file:<path>`. */
  readonly name: string;
  readonly roots: readonly string[];
  readonly digestKey: Uint8Array;
  readonly fs: FileSystem;
  readonly signal: AbortSignal;
}

/** How often others may come between before we give the turn back. */
const mostRounds = 8;

export async function placeOf(target: Target): Promise<Place> {
  return allowedPlace(target.config.path, modeOf(target.config), target.roots, target.fs);
}

/** Replaces the file if it is still what we read and the turn is still ours; false when something came between. */
async function replace(
  target: Target,
  place: Place,
  delivery: Delivery,
  attempt: string,
  base: Buffer | undefined,
  next: Buffer,
): Promise<boolean> {
  const { fs } = target;
  const staged = stagedPath(place, delivery.number, attempt, "value");
  try {
    await fs.stage(staged, next, place.ownership);
    if (await hasTurn(place, delivery, attempt, fs)) {
      target.signal.throwIfAborted();
      if ((await fs.replace(staged, place.path, base)) === "replaced") return true;
    }
  } catch (error) {
    await removeQuietly(staged, fs);
    throw error;
  }
  await removeQuietly(staged, fs);
  return false;
}

/** After the write: what lies there now is ours, or somebody was faster than this look. */
async function readBack(target: Target, wanted: Readonly<Record<string, string>>): Promise<string> {
  const held = heldIn(await target.fs.read(target.config.path), target.config);
  if (!holdsAll(held, wanted)) drifted("right after it was written");
  return digestOf(held, target.name, target.digestKey);
}

function drifted(when: string): never {
  throw new OperatorNeededError(
    "target_drift",
    `One of our keys was changed by somebody else ${when}. Look at who writes the file, then decide: retry to overwrite it, or roll back.`,
  );
}

/** One round: the digest when it is done, undefined when somebody came between and it has to start over. */
async function round(
  target: Target,
  delivery: Delivery,
  wanted: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const { fs, config } = target;
  // Again in each round: what was allowed may have been swapped for a link by whoever came between.
  const place = await placeOf(target);
  const attempt = await takeTurn(place, delivery, fs);
  if (attempt === undefined) return undefined;
  const base = await fs.read(place.path);
  const held = heldIn(base, config);
  const digest = digestOf(held, target.name, target.digestKey);
  if (holdsAll(held, wanted)) return digest;
  if (delivery.expected !== undefined && delivery.expected !== digest) drifted("since the last delivery");
  const isReplaced = await replace(target, place, delivery, attempt, base, changed(base, wanted, config));
  if (!isReplaced) return undefined;
  await fs.syncFolder(place.folder);
  return readBack(target, wanted);
}

/** Compare-and-set of our keys. Errors are ours or the file system's. */
export async function deliver(target: Target, delivery: Delivery): Promise<{ readonly digest: string }> {
  const wanted = wantedOf(delivery.value, target.config);
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    target.signal.throwIfAborted();
    const digest = await round(target, delivery, wanted);
    if (digest !== undefined) return { digest };
  }
  throw new TransientError(
    "target_drift",
    "Somebody else kept changing the file while it was being written. It will be tried again.",
  );
}
