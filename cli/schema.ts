import type { Io } from "./io.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";

/** `rekey schema`: the JSON Schema of manifests, for an editor's YAML language server. */
export async function printSchema(io: Io): Promise<ExitCode> {
  const client = await io.client();
  const { schema } = await client.call("showManifestSchema", {});
  io.give(schema);
  io.say(JSON.stringify(schema, null, 2));
  return exitCodes.done;
}
