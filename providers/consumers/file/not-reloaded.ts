import { OperatorNeededError } from "../../../domain/errors.ts";

/** The file is written and the application has not been told. `detail` says what to do. */
export function notReloaded(detail: string): never {
  throw new OperatorNeededError("reload_failed", detail);
}
