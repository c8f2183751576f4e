import { basename, dirname, isAbsolute, resolve, sep } from "node:path";
import { OperatorNeededError, PermanentError } from "../../../domain/errors.ts";
import { printable } from "../../../domain/printable.ts";
import type { FileSystem, Ownership, Status } from "./file-system.ts";

const othersWrite = 0o022;
const everybodyWrites = 0o002;
/** Of file systems, in bytes. */
const longestName = 255;
/** What is added to a file's name for the files beside it at most, in bytes. */
const longestAddition = 128;
const sticky = 0o1000;

export interface Place {
  readonly path: string;
  readonly folder: string;
  readonly name: string;
  /** What a file written here gets: that of the present file, else ours and the mode that the registration names. */
  readonly ownership: Ownership;
}

function refuse(detail: string): never {
  throw new PermanentError("target_refused", detail);
}

function isInside(root: string, path: string): boolean {
  const base = resolve(root);
  return path.startsWith(base === sep ? sep : base + sep);
}

/** From `/` down to the folder itself, each once. */
function foldersDownTo(folder: string): readonly string[] {
  const parts = folder.split(sep).filter((part) => part !== "");
  return [sep, ...parts.map((_, index) => sep + parts.slice(0, index + 1).join(sep))];
}

async function checkFolder(folder: string, root: string, fs: FileSystem): Promise<void> {
  const found = await fs.status(folder);
  if (found === undefined)
    throw new OperatorNeededError(
      "target_unreachable",
      `The folder ${folder} does not exist. Create it, for the worker's user only.`,
    );
  if (found.kind === "link")
    refuse(`${folder} is a link. Register the real path, and name the real root in the settings.`);
  if (found.kind !== "folder") refuse(`${folder} is not a folder.`);
  const below = folder === root || isInside(root, folder);
  if (!below) {
    // Above the root only a swap of a folder matters, and the sticky bit prevents that.
    if ((found.mode & othersWrite) !== 0 && (found.mode & sticky) === 0)
      refuse(`${folder}, above the root, can be written by others. Run: chmod go-w ${folder}`);
    return;
  }
  if ((found.mode & othersWrite) !== 0) refuse(`${folder} can be written by others. Run: chmod go-w ${folder}`);
  if (found.uid !== fs.uid() && found.uid !== 0)
    refuse(`${folder} belongs to somebody else, who could swap the file. Let the worker's user or root own it.`);
}

/** Owner and mode are kept or the file is refused; so is one whose content others could reach or change. */
function checkPresent(present: Status, fs: FileSystem): void {
  if (present.kind === "link") refuse("The file is a link. Register the file that it points to.");
  if (present.kind !== "file") refuse("The path is not a plain file.");
  if ((present.mode & everybodyWrites) !== 0)
    refuse("The file can be written by everybody. Take that right away: chmod o-w");
  if (present.links > 1)
    refuse("The file has a second name (a hard link), under which the old value would stay. Remove that name.");
  if (fs.uid() === 0) return;
  if (present.uid !== fs.uid())
    refuse("The file belongs to another user and the worker could not keep that. Run the worker as its owner.");
  if (present.gid !== fs.gid() && !fs.groups().includes(present.gid))
    refuse("The file belongs to a group that the worker is not in and could not keep. Add the worker to it.");
}

/**
 * Decides whether a file may be written. Because nobody else can write the folders, what was checked here cannot be
 * swapped between the check and the write.
 */
export async function allowedPlace(
  path: string,
  mode: number,
  roots: readonly string[],
  fs: FileSystem,
): Promise<Place> {
  if (!isAbsolute(path) || resolve(path) !== path)
    refuse("The path must be absolute, without '..', '.' or double slashes.");
  if (Buffer.byteLength(basename(path)) + longestAddition > longestName)
    refuse("The file's name leaves no room for the names beside it. Shorten it.");
  // The outermost root decides: the strict rules then hold for the most folders.
  const root = roots
    .filter((each) => isAbsolute(each) && isInside(each, path))
    .map((each) => resolve(each))
    .sort((a, b) => a.length - b.length)[0];
  if (root === undefined)
    refuse(
      `${printable(path)} is below none of the folders that REKEY_FILE_ROOTS of the worker (or of \`rekey up\`) names${roots.length === 0 ? ": it names none" : `: ${roots.map((each) => printable(each)).join(", ")}`}. Add its folder there and start it again, or move the file.`,
    );
  const folder = dirname(path);
  for (const each of foldersDownTo(folder)) await checkFolder(each, root, fs);
  const present = await fs.status(path);
  if (present === undefined)
    return { path, folder, name: basename(path), ownership: { mode, uid: fs.uid(), gid: fs.gid() } };
  checkPresent(present, fs);
  return { path, folder, name: basename(path), ownership: { mode: present.mode, uid: present.uid, gid: present.gid } };
}
