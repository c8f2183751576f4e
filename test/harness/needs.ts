import type { TestContext } from "vitest";

/** What a test needs and does not find fails there, instead of being skipped: CI says so. */
const isAllRequired = (): boolean => process.env["REKEY_TEST_REQUIRE"] === "all";

/** Throws where all is required; otherwise the caller skips, with the same reason. */
export function failIfRequired(reason: string): void {
  if (isAllRequired()) throw new Error(`${reason}; REKEY_TEST_REQUIRE=all makes this a failure.`);
}

/** The only way to skip a test: goes on where what it needs is here, and prints the reason where it is not. */
export function needs(context: Pick<TestContext, "skip">, isHere: boolean, reason: string): asserts isHere {
  if (isHere) return;
  failIfRequired(reason);
  context.skip(reason);
}
