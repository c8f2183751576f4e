import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/** `rekey export`: manifests that `rekey apply -f -` takes back. */
export async function exportRegistered(io: Io, kind?: string, name?: string): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("exportManifests", { query: { kind, name } });
  io.give(answer);
  const texts = answer.manifests.map(({ text }) => text);
  // A comment, so that it is a file of manifests still.
  io.say(texts.length === 0 ? "# Nothing is registered." : texts.join("---\n").trimEnd());
  return exitCodes.done;
}
