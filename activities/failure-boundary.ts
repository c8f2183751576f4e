import { ApplicationFailure, CancelledFailure } from "@temporalio/common";
import { codes, RekeyError, type Code } from "../domain/errors.ts";
import { asUnreachable } from "../ledger/database.ts";

/**
 * The only way in which a failure leaves an activity: its code and the code's fixed title. No cause, no foreign message
 * and no stack goes into a history; what people read lies in the ledger and in the worker's log.
 */
export async function atBoundary<T>(log: (error: unknown) => void, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CancelledFailure) throw error;
    const known = error instanceof RekeyError ? error : asUnreachable(error);
    if (known === undefined) log(error);
    throw failureOf(known?.code ?? "internal");
  }
}

function failureOf(code: Code): ApplicationFailure {
  const failure = ApplicationFailure.create({ type: code, message: codes[code], nonRetryable: false });
  failure.stack = `ApplicationFailure: ${codes[code]}`;
  return failure;
}
