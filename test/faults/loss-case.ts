import type { HttpProxy } from "../harness/proxy/http.ts";
import { untilEnded, type Lane } from "./crash-case.ts";
import type { CrashSubject } from "./crash-subject.ts";
import { loseAnswers } from "./lost-answer.ts";
import type { LossCase } from "./matrix-losses.ts";

/** What is wrong after a loss that the worker survived, a sentence each; none means that the case passes. */
export async function runLossCase(
  { world, temporal }: Lane,
  one: LossCase,
  subject: CrashSubject,
  proxy: HttpProxy,
): Promise<readonly string[]> {
  const witness = await subject(world, one);
  try {
    const lost = loseAnswers(proxy, witness.named[one.loses.at], one.loses);
    const rotationId = await witness.rotate();
    const stuck = await untilEnded(world, rotationId, one.abortIn);
    if (stuck !== undefined) return [`invariant 9: ${stuck}`];
    if (lost() === 0) return [`${one.name} was never reached: no such call was made.`];
    const outcome = one.abortIn === undefined ? "proven" : "undone";
    return await witness.lookAtEnd({ temporal, rotationId, outcome });
  } finally {
    await witness.close();
  }
}
