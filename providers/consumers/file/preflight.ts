import type { Code } from "../../../domain/errors.ts";
import type { ConsumerFinding, ReloadEntry } from "../../contract/consumer.ts";
import type { Place } from "./allowed-place.ts";
import { changed } from "./content.ts";
import { placeOf, type Target } from "./deliver.ts";
import { readSideFile } from "./side-file.ts";
import { asTargetError } from "./target-error.ts";

function finding(code: Code, detail: string): ConsumerFinding {
  return { code, detail };
}

/** What stops a look or a trial, as a finding; nothing when it went well. */
async function tried(look: () => Promise<unknown>): Promise<readonly ConsumerFinding[]> {
  try {
    await look();
    return [];
  } catch (error) {
    const { code, detail } = asTargetError(error);
    return [finding(code, detail)];
  }
}

async function folderFindings(target: Target, place: Place): Promise<readonly ConsumerFinding[]> {
  const found: ConsumerFinding[] = [];
  if (!(await target.fs.isWritable(place.folder)))
    found.push(
      finding(
        "target_read_only",
        `The worker may not write ${place.folder}. Give its user the right, or mount the file system writable.`,
      ),
    );
  return found;
}

/** Room for the new file beside the old one, with our side file. */
const spareBytes = 64 * 1024;

async function contentFindings(target: Target, place: Place): Promise<readonly ConsumerFinding[]> {
  const bytes = await target.fs.read(place.path);
  // A trial on paper: finds what cannot be parsed and what cannot be changed without touching the rest.
  const trial = Object.fromEntries(Object.keys(target.config.keys).map((key) => [key, "trial"]));
  const next = changed(bytes, trial, target.config);
  if ((await target.fs.room(place.folder)) >= next.length + spareBytes) return [];
  return [finding("target_full", `The file system of ${place.folder} has no room for another copy. Free some.`)];
}

/** Looks at everything that would stop a delivery, and changes nothing. */
export async function preflight(
  target: Target,
  reloads: Readonly<Record<string, ReloadEntry>>,
): Promise<readonly ConsumerFinding[]> {
  const found: ConsumerFinding[] = [];
  const entry = target.config.reload;
  if (entry !== undefined && !Object.hasOwn(reloads, entry))
    found.push(
      finding("reload_failed", `The worker's settings have no reload "${entry}". Add it there, or register another.`),
    );
  let place: Place | undefined;
  found.push(...(await tried(async () => (place = await placeOf(target)))));
  const allowed = place;
  if (allowed === undefined) return found;
  for (const look of [
    async () => found.push(...(await folderFindings(target, allowed))),
    async () => readSideFile(allowed, target.fs),
    async () => found.push(...(await contentFindings(target, allowed))),
  ])
    found.push(...(await tried(look)));
  return found;
}
