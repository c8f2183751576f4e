import { basename, join } from "node:path";
import { z } from "zod";
import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { Place } from "./allowed-place.ts";
import type { FileSystem } from "./file-system.ts";

/** What lies beside each file that rekey writes. It says whose turn it is and holds no secret. */
export interface SideFile {
  readonly number: Claim;
  /** The version of the credential that the delivery with this number is about. */
  readonly version: number;
  /** A random name of one try. Only the try that the side file names may replace the file. */
  readonly attempt: string;
}

/** The two files of one try, while it is under way: `turn` becomes the side file, `value` becomes the file. */
export type StagedKind = "turn" | "value";

export interface Staged {
  readonly path: string;
  readonly number: Claim;
  readonly attempt: string;
}

const whole = z.number().int().min(0);
const schema = z.strictObject({
  number: z.strictObject({ epoch: whole, number: whole }),
  version: whole,
  attempt: z.string().regex(/^[0-9a-f]{32}$/),
});
const stagedTail = /^([0-9]{1,15})-([0-9]{1,15})-([0-9a-f]{32})\.(?:turn|value)$/;

function prefixOf(place: Place): string {
  return `.${place.name}.rekey`;
}

/** Names that could be some file's side file or stage: nobody may register them. */
export function isReserved(path: string): boolean {
  return /^\..+\.rekey(?:\.|$)/.test(basename(path));
}

export function sidePath(place: Place): string {
  return join(place.folder, prefixOf(place));
}

export function stagedPath(place: Place, number: Claim, attempt: string, kind: StagedKind): string {
  return join(place.folder, `${prefixOf(place)}.${number.epoch}-${number.number}-${attempt}.${kind}`);
}

/** All that tries at this file have left or are still busy with, of every number. */
export async function stagedBeside(place: Place, fs: FileSystem): Promise<readonly Staged[]> {
  const prefix = `${prefixOf(place)}.`;
  return (await fs.list(place.folder)).flatMap((name) => {
    const found = name.startsWith(prefix) ? stagedTail.exec(name.slice(prefix.length)) : null;
    if (found === null) return [];
    const number = { epoch: Number(found[1]), number: Number(found[2]) };
    return [{ path: join(place.folder, name), number, attempt: found[3] ?? "" }];
  });
}

export function sideFileBytes(side: SideFile): Buffer {
  return Buffer.from(`${JSON.stringify(side)}\n`);
}

/** Undefined when rekey has never written the file. */
export async function readSideFile(place: Place, fs: FileSystem): Promise<SideFile | undefined> {
  const bytes = await fs.read(sidePath(place));
  if (bytes === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch {
    throw new OperatorNeededError(
      "target_malformed",
      `The side file ${sidePath(place)} is not as rekey wrote it. Restore it, or delete it while no delivery to this file is under way, then retry.`,
    );
  }
}

export function isOlder(a: Claim, b: Claim): boolean {
  return compareClaims(a, b) < 0;
}
