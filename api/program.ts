// A process of its own: `serve`, `migrate`, both in this order (`up`), or what else needs ledger or keys without the API.
// Whoever started it hears by IPC that it is ready or why it is not; without IPC it writes to standard error.
import { readSettings } from "../settings.ts";
import { asProblem } from "./problem.ts";
import { checkLedger, makeKeys, makeRecoveredToken, migrateLedger, serve, type Served } from "./serve.ts";

type Word = "serve" | "migrate" | "check" | "keys" | "recover" | "up";

async function run(word: Word, option: string | undefined): Promise<void> {
  const settings = readSettings();
  if (word === "keys") return tell({ ready: { files: await makeKeys(settings) } });
  if (word === "recover") return tell({ ready: await makeRecoveredToken(settings) });
  if (word === "check") {
    await checkLedger(settings, Number(option ?? 0));
    return tell({ ready: { applied: [] } });
  }
  const applied = word === "serve" ? [] : await migrateLedger(settings, option);
  if (word === "migrate") return tell({ ready: { applied } });
  const served = await serve(settings, word === "up" ? "always" : "first");
  stopOnSignal(served);
  tell({ ready: { applied, address: served.address, tokenFile: served.tokenFile } });
}

function tell(message: object): void {
  if (process.send !== undefined) process.send(message);
  if (!("ready" in message) && process.send === undefined) process.stderr.write(`rekey: ${JSON.stringify(message)}\n`);
}

function stopOnSignal(served: Served): void {
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping ??= served.stop().finally(() => process.disconnect?.());
  };
  process.on("SIGTERM", stop);
  // A terminal signals the whole group; whoever started us decides when.
  process.on("SIGINT", () => process.connected || stop());
  process.on("disconnect", stop);
}

const [, , word = "serve", option] = process.argv;
run(word as Word, option)
  .catch((error: unknown) => {
    tell({ failed: asProblem(error) });
    process.exitCode = 1;
  })
  .finally(() => {
    if (process.exitCode === 1 || !["serve", "up"].includes(word)) process.disconnect?.();
  });
