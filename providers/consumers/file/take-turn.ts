import { randomBytes } from "node:crypto";
import { PermanentError } from "../../../domain/errors.ts";
import type { Delivery } from "../../contract/consumer.ts";
import type { Place } from "./allowed-place.ts";
import { errnoOf, type FileSystem } from "./file-system.ts";
import { isOlder, readSideFile, sideFileBytes, sidePath, stagedBeside, stagedPath } from "./side-file.ts";

/** Removes a file that another try may have removed already. */
async function remove(path: string, fs: FileSystem): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/** For cleaning up behind a failure, which must not be hidden by a second one. The next turn finds what is left. */
export async function removeQuietly(path: string, fs: FileSystem): Promise<void> {
  try {
    await fs.unlink(path);
  } catch {
    // Gone already, or the disk is in trouble, which the caller is reporting.
  }
}

function refuseIfNewer(place: Place, found: Delivery["number"] | undefined, ours: Delivery["number"]): void {
  if (found === undefined || !isOlder(ours, found)) return;
  throw new PermanentError(
    "claim_outdated",
    `Delivery ${ours.epoch}.${ours.number} comes after ${found.epoch}.${found.number}, which has been here. ` +
      `If that one was made by another installation of rekey, end that one and delete ${sidePath(place)}.`,
  );
}

/** True while the side file names this try. Refuses for good when a newer delivery has been here. */
export async function hasTurn(place: Place, delivery: Delivery, attempt: string, fs: FileSystem): Promise<boolean> {
  const side = await readSideFile(place, fs);
  refuseIfNewer(place, side?.number, delivery.number);
  return side?.attempt === attempt;
}

/**
 * Makes the side file name a new try, and returns that try's name; undefined when another try came between.
 *
 * Afterwards no older try can act any more: one that had staged before the listing has lost its stage, so that its rename
 * fails; one that stages later reads the side file after that and finds our name or a newer one. README.md has the proof.
 */
export async function takeTurn(place: Place, delivery: Delivery, fs: FileSystem): Promise<string | undefined> {
  const attempt = randomBytes(16).toString("hex");
  const turn = stagedPath(place, delivery.number, attempt, "turn");
  const ownership = { mode: 0o600, uid: fs.uid(), gid: fs.gid() };
  try {
    await fs.stage(turn, sideFileBytes({ number: delivery.number, version: delivery.version, attempt }), ownership);
    // After staging: whoever publishes a higher number from here on will also find and remove what was staged.
    refuseIfNewer(place, (await readSideFile(place, fs))?.number, delivery.number);
    await fs.rename(turn, sidePath(place));
  } catch (error) {
    await removeQuietly(turn, fs);
    if (errnoOf(error) === "ENOENT" && (await fs.status(place.folder)) !== undefined) return undefined;
    throw error;
  }
  for (const staged of await stagedBeside(place, fs))
    if (!isOlder(delivery.number, staged.number)) await remove(staged.path, fs);
  // So that no crash of the machine can keep the file and lose its number.
  await fs.syncFolder(place.folder);
  return (await hasTurn(place, delivery, attempt, fs)) ? attempt : undefined;
}
