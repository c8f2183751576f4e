import { closeSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { boundLogs } from "../embedded/bounded-log.ts";
import { newFolder } from "../test/harness/cli.ts";
import { openLogFile } from "./log-file.ts";

async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let round = 0; round < 3; round += 1) {
    collect();
    await nextTurn();
  }
}

it("a log file stays open when garbage is collected", async () => {
  const home = await newFolder();
  const log = openLogFile(home, "api");
  await collectGarbage();
  writeSync(log, "a line\n");
  closeSync(log);
  expect(readFileSync(join(home, "logs", "api.log"), "utf8")).toBe("a line\n");
});

it("a log file that is emptied by the keeper of the home goes on at its beginning", async () => {
  const home = await newFolder();
  const file = join(home, "logs", "api.log");
  const log = openLogFile(home, "api");
  writeSync(log, "a long line\n");
  await boundLogs(join(home, "logs"), 5);
  writeSync(log, "new\n");
  closeSync(log);
  expect([readFileSync(`${file}.1`, "utf8"), readFileSync(file, "utf8")]).toEqual(["a long line\n", "new\n"]);
});
