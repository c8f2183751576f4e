import { randomBytes } from "node:crypto";
import { OperatorNeededError, TransientError } from "../../../domain/errors.ts";
import type { Value } from "../../contract/value.ts";
import { changed, heldIn, holdsAll, wantedOf } from "./content.ts";
import { placeOf, type Target } from "./deliver.ts";
import { stagedPath } from "./side-file.ts";
import { removeQuietly } from "./take-turn.ts";

/** Below every delivery's number: whoever delivers removes what a rehearsal has left. */
const number = { epoch: 0, number: 0 };

/** The way of a delivery up to the rename, with a made-up value in a file beside the target. */
export async function rehearse(target: Target, value: Value): Promise<string> {
  const { config, fs } = target;
  const place = await placeOf(target);
  const wanted = wantedOf(value, config);
  const bytes = changed(await fs.read(place.path), wanted, config);
  const scratch = stagedPath(place, number, randomBytes(16).toString("hex"), "value");
  const { mode, uid, gid } = place.ownership;
  try {
    await fs.stage(scratch, bytes, place.ownership);
    const [written, status] = [await fs.read(scratch), await fs.status(scratch)];
    if (written === undefined || status === undefined)
      throw new TransientError(
        "target_unreachable",
        "A delivery came between, which takes away such files. Try again.",
      );
    if (!holdsAll(heldIn(written, config), wanted, config) || !written.equals(bytes))
      throw new TransientError("target_unreachable", "The disk gave back something else than was written. Check it.");
    if (status.mode !== mode || status.uid !== uid || status.gid !== gid)
      throw new OperatorNeededError(
        "target_refused",
        `A file written in ${place.folder} does not get the owner and mode that the target has. Look at how it is mounted.`,
      );
    target.signal.throwIfAborted();
    await fs.unlink(scratch);
  } catch (error) {
    await removeQuietly(scratch, fs);
    throw error;
  }
  const shown = mode.toString(8).padStart(4, "0");
  return `A made-up value was written beside the file with mode ${shown}, read back, and removed.`;
}
