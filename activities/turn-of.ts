import { PermanentError } from "../domain/errors.ts";
import type { Turn } from "../ledger/operations.ts";

/** The turn of a step that acts outside. Without one it must not act. */
export function turnOf(turn: Turn | undefined): Turn {
  if (turn === undefined) throw new PermanentError("internal", "A step acts outside without a turn.");
  return turn;
}
