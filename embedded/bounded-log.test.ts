import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { boundLog, boundLogs, tailOf } from "./bounded-log.ts";

let root: string;
let path: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "rekey-log-"));
  path = join(root, "server.log");
});

afterEach(() => rm(root, { recursive: true, force: true }));

test("a log over the limit moves aside, and who has it open goes on at its new beginning", async () => {
  const writer = await open(path, "a");
  await writer.write("x".repeat(100));
  await boundLog(path, 99);
  await writer.write("next");
  await writer.close();
  expect(await readFile(`${path}.1`, "utf8")).toBe("x".repeat(100));
  expect(await readFile(path, "utf8")).toBe("next");
});

test("only one old log is kept", async () => {
  for (const text of ["first", "second"]) {
    await writeFile(path, text);
    await boundLog(path, 1);
  }
  expect(await readFile(`${path}.1`, "utf8")).toBe("second");
});

test("a log below the limit and one that is not there stay as they are", async () => {
  await boundLog(path, 5);
  await writeFile(path, "12345");
  await boundLog(path, 5);
  expect(await readFile(path, "utf8")).toBe("12345");
});

test("each log of a folder is bounded, and nothing else that lies there", async () => {
  for (const name of ["api.log", "worker.log", "api.log.1", "notes"]) await writeFile(join(root, name), name);
  await boundLogs(root, 8);
  const sizes = ["api.log", "worker.log", "notes"].map(async (name) => readFile(join(root, name), "utf8"));
  expect(await Promise.all(sizes)).toEqual(["api.log", "", "notes"]);
  expect(await readFile(join(root, "api.log.1"), "utf8")).toBe("api.log.1");
  expect(await readFile(join(root, "worker.log.1"), "utf8")).toBe("worker.log");
});

test("the tail is the end of the log, and nothing when there is none", async () => {
  expect(await tailOf(path)).toBe("");
  await writeFile(path, "begin\nend\n");
  expect(await tailOf(path, 5)).toBe("end");
});
