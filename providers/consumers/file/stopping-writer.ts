import { writeSync } from "node:fs";
import { fileOn } from "./definition.ts";
import { nodeFileSystem } from "./file-system.ts";
import { contextWith, deliveryOf, trialDigestKey } from "./trial.ts";

/** A program for tests: delivers to the file it is given and stops itself right before the rename. */
const [folder = "", path = ""] = process.argv.slice(2);

const definition = fileOn({
  ...nodeFileSystem,
  replace: async (staged, target, expected) => {
    writeSync(1, "stopping\n");
    process.kill(process.pid, "SIGSTOP");
    return nodeFileSystem.replace(staged, target, expected);
  },
});
const session = await definition.open(
  {
    config: { path, format: "dotenv", keys: { PASSWORD: "password" } },
    allowed: { roots: [folder], reloads: {} },
    consumer: "con_test",
    digestKey: trialDigestKey,
  },
  contextWith(),
);
try {
  await session.deliver(deliveryOf(5, "older"));
  writeSync(1, "done\n");
} catch (error) {
  writeSync(1, `${error instanceof Error && "code" in error ? String(error.code) : "unknown"}\n`);
}
