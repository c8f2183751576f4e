import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/** `rekey custody copied`: says that the custody key's file lies elsewhere too, which only a person can know. */
export async function recordKeyCopy(io: Io): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("recordKeyCopy", {});
  io.give(answer);
  io.say(`Noted for key ${answer.keyId}, in the audit trail. A new key needs a new copy.`);
  return exitCodes.done;
}
