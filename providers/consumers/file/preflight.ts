import type { Code } from "../../../domain/errors.ts";
import type { ConsumerFinding, ReloadEntry } from "../../contract/consumer.ts";
import type { Value } from "../../contract/value.ts";
import type { Place } from "./allowed-place.ts";
import { changed, wantedOf } from "./content.ts";
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
    if (code !== "value_unfit") return [finding(code, detail)];
    const advice = "Write the value between single quotes by hand, or register the file in another format; then retry.";
    return [finding(code, `What is delivered or put back by an undo does not fit: ${detail} ${advice}`)];
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

async function contentFindings(
  target: Target,
  place: Place,
  values: readonly Value[],
): Promise<readonly ConsumerFinding[]> {
  const bytes = await target.fs.read(place.path);
  // A trial on paper: finds what cannot be parsed, what cannot be changed without touching the rest, and values that the
  // format has no form for.
  const trial = Object.fromEntries(Object.keys(target.config.keys).map((key) => [key, "trial"]));
  let next = changed(bytes, trial, target.config);
  let last = bytes;
  for (const value of values) {
    last = changed(last, wantedOf(value, target.config), target.config);
    if (last.length > next.length) next = last;
  }
  if ((await target.fs.room(place.folder)) >= next.length + spareBytes) return [];
  return [finding("target_full", `The file system of ${place.folder} has no room for another copy. Free some.`)];
}

/** Looks at everything that would stop a delivery, and changes nothing. */
export async function preflight(
  target: Target,
  reloads: Readonly<Record<string, ReloadEntry>>,
  values: readonly Value[] = [],
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
    async () => found.push(...(await contentFindings(target, allowed, values))),
  ])
    found.push(...(await tried(look)));
  return found;
}
