// A process of its own that runs one worker. Whoever started it hears by IPC that it is ready or why it is not.
import { advice } from "../domain/error-advice.ts";
import { codes, RekeyError } from "../domain/errors.ts";
import { readSettings } from "../settings.ts";
import { startWorker } from "./main.ts";

async function run(): Promise<void> {
  const worker = await startWorker(readSettings());
  process.on("SIGTERM", () => worker.stop());
  // A terminal signals the whole group; whoever started us decides when.
  process.on("SIGINT", () => process.connected || worker.stop());
  process.on("disconnect", () => worker.stop());
  process.send?.({ ready: {} });
  await worker.ended;
}

/** Never a foreign message: it may quote anything. */
function asFailure(error: unknown) {
  const known = error instanceof RekeyError;
  const code = known ? error.code : "internal";
  const detail = known ? error.detail : `${error instanceof Error ? error.name : "Something"} was thrown.`;
  return { code, title: codes[code], detail, next: advice[code] };
}

run()
  .catch((error: unknown) => {
    const failed = asFailure(error);
    if (process.send === undefined) process.stderr.write(`rekey: ${failed.title}: ${failed.detail} ${failed.next}\n`);
    else process.send({ failed });
    process.exitCode = 1;
  })
  .finally(() => process.disconnect?.());
