import { OperatorNeededError, PermanentError, RekeyError, TransientError } from "../../../domain/errors.ts";
import { errnoOf } from "./file-system.ts";

/** Turns a system error into one of ours. Says the path's problem, never the foreign message or the content. */
export function asTargetError(error: unknown): RekeyError {
  if (error instanceof RekeyError) return error;
  switch (errnoOf(error) ?? "") {
    case "EROFS":
    case "EACCES":
      return new OperatorNeededError(
        "target_read_only",
        "The worker may not read the file or write its folder. Give its user the right, or mount the file system writable.",
      );
    case "EPERM":
      return new PermanentError(
        "target_refused",
        "The worker cannot keep the file's owner. Run it as that owner, or let the worker's user own the file.",
      );
    case "ENOSPC":
    case "EDQUOT":
      return new TransientError("target_full", "The file system or quota is full. Free some room.");
    case "EBUSY":
      return new PermanentError(
        "target_refused",
        "The file is a mount of its own, which cannot be replaced. Mount its folder instead.",
      );
    case "ENAMETOOLONG":
      return new PermanentError(
        "target_refused",
        "The file's name leaves no room for the names beside it. Shorten it.",
      );
    case "ELOOP":
      return new PermanentError("target_refused", "The path is a link. Register the file that it points to.");
    case "ENOENT":
    case "ENOTDIR":
      return new OperatorNeededError(
        "target_unreachable",
        "The file's folder does not exist. Create it, for the worker's user only.",
      );
    default:
      return new TransientError("target_unreachable", "The file system refused the call.");
  }
}
