import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { findingLines, waitForCheck } from "./wait-for-check.ts";

export interface MoveOptions {
  readonly custody: string;
  readonly timeout?: number;
}

/** `rekey credential move`: it can be given again at any time, and goes on where the last one got to. */
export async function move(io: Io, credential: string, { custody, timeout }: MoveOptions): Promise<ExitCode> {
  const client = await io.client();
  const { checkId } = await client.call("moveCredential", { params: { credential }, body: { custody } });
  io.say(`Check ${checkId}: a worker moves the values.`);
  const check = await waitForCheck(io, client, checkId, timeout ?? 60_000);
  io.give(check);
  if (check.state === "done") {
    io.say(
      `Its values rest in ${custody} now, and the next ones go there.`,
      `Write \`custody: ${custody}\` under spec in its manifest.`,
    );
    return exitCodes.done;
  }
  io.say(
    "Not all of them were moved. Each can be read where it is:",
    ...check.findings.flatMap(findingLines),
    `  Next: mend that, then: rekey credential move ${credential} --custody ${custody}`,
  );
  return exitCodes.failed;
}
