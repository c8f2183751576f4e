import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { workerOf } from "./worker-process.ts";

const started: ReturnType<typeof spawn>[] = [];

async function start(...words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ["-e", "console.log(1); setInterval(() => {}, 1000)", ...words]);
  started.push(child);
  await once(child.stdout, "data");
  return child.pid ?? -1;
}

afterEach(() => started.splice(0).forEach((child) => child.kill("SIGKILL")));

test("the worker is told from the other children, and its successor from a dead one", async () => {
  await start("serve");
  const first = await start("worker");
  const signal = AbortSignal.timeout(20_000);
  expect(await workerOf(process.pid, signal)).toBe(first);
  const next = workerOf(process.pid, signal, first);
  process.kill(first, "SIGKILL");
  const second = await start("worker");
  expect(await next).toBe(second);
});

test("waiting for a worker that never comes ends with the signal", async () => {
  await start("serve");
  await expect(workerOf(process.pid, AbortSignal.timeout(100))).rejects.toThrow("abort");
});
