import assert from "node:assert/strict";
import { RekeyError, type Code } from "../../domain/errors.ts";

/** Caught is caught by what a clause says or by the provider's own error, not by a clause that fell over. */
export const isVerdict = (error: unknown): boolean =>
  error instanceof assert.AssertionError || error instanceof RekeyError;

/** Must fail with one of ours; with one of these codes where codes are given. */
export async function assertFails(work: Promise<unknown>, ...codes: readonly Code[]): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error !== undefined, "it must fail, and it succeeded");
  assert.ok(error instanceof RekeyError, `it must fail with an error of ours, not by a foreign one`);
  if (codes.length > 0) assert.ok(codes.includes(error.code), `${error.code} is none of ${codes.join(", ")}`);
  return error;
}

/** A refusal by us is as good as doing nothing; a foreign error is not. */
export function orRefused(error: unknown): void {
  assert.ok(error instanceof RekeyError, "it must fail with an error of ours, not by a foreign one");
}

/** Everything an error says to whoever prints it. */
export function saidBy(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const own = Object.values(error).map((part) => (typeof part === "string" ? part : ""));
  return [error.message, error.stack ?? "", ...own, ...saidBy(error.cause)];
}
