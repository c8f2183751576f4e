import { closeSync, existsSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
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

it("a log file that has grown large becomes the former one", async () => {
  const home = await newFolder();
  const file = join(home, "logs", "api.log");
  closeSync(openLogFile(home, "api"));
  closeSync(openLogFile(home, "api"));
  expect(existsSync(`${file}.1`)).toBe(false);
  truncateSync(file, 10 * 1024 * 1024 + 1);
  const log = openLogFile(home, "api");
  writeSync(log, "new\n");
  closeSync(log);
  expect([existsSync(`${file}.1`), readFileSync(file, "utf8")]).toEqual([true, "new\n"]);
});
