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
    const written = await fs.read(staged);
    if (written !== undefined && !written.equals(next))
      throw new TransientError("target_unreachable", "The disk gave back something else than was written. Check it.");
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

function drifted(when: string): never {
  throw new OperatorNeededError(
    "target_drift",
    `One of our keys was changed by somebody else ${when}. Find out who writes the file and put our key back, then retry; or roll back.`,
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
  const look = async (): Promise<{ bytes: Buffer | undefined; digest: string; isDone: boolean }> => {
    const bytes = await fs.read(place.path);
    const held = heldIn(bytes, config);
    return { bytes, digest: digestOf(held, target.name, target.digestKey), isDone: holdsAll(held, wanted, config) };
  };
  const before = await look();
  if (before.isDone) return before.digest;
  if (delivery.expected !== undefined && delivery.expected !== before.digest) {
    // Was it one of us? Then the side file, read after the look, names that one.
    if (!(await hasTurn(place, delivery, attempt, fs))) return undefined;
    drifted("since the last delivery");
  }
  const next = changed(before.bytes, wanted, config);
  if (!(await replace(target, place, delivery, attempt, before.bytes, next))) return undefined;
  await fs.syncFolder(place.folder);
  const after = await look();
  if (after.isDone) return after.digest;
  if (!(await hasTurn(place, delivery, attempt, fs))) return undefined;
  return drifted("right after it was written");
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
