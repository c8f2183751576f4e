import { expect, test } from "vitest";
import { TransientError } from "../domain/errors.ts";
import { counted, countedOpen, createCallCounts } from "./count-calls.ts";

class Session {
  readonly #answer = "issued";
  revoke?: () => Promise<void>;
  async issue(): Promise<string> {
    return Promise.resolve(this.#answer);
  }
  async list(): Promise<never> {
    return Promise.reject(new TransientError("system_throttled", "It asks for fewer calls."));
  }
  async probe(): Promise<never> {
    return Promise.reject(new Error("unforeseen"));
  }
  choose(): string {
    return "chosen";
  }
  async close(): Promise<void> {
    return Promise.resolve();
  }
}

test("calls are counted by kind, verb and what came of them; their answers are what they were", async () => {
  const counts = createCallCounts();
  const session = counted(new Session(), "postgres-role", counts);
  expect(await session.issue()).toBe("issued");
  await session.issue();
  await expect(session.list()).rejects.toThrow("fewer calls");
  await expect(session.probe()).rejects.toThrow("unforeseen");
  // What asks nobody is no call, nor is closing one.
  expect(session.choose()).toBe("chosen");
  await session.close();
  expect(counts.take()).toEqual([
    { kind: "postgres-role", verb: "issue", outcome: "ok", calls: 2 },
    { kind: "postgres-role", verb: "list", outcome: "throttled", calls: 1 },
    { kind: "postgres-role", verb: "probe", outcome: "failed", calls: 1 },
  ]);
  expect(counts.take()).toEqual([]);
  await expect(countedOpen(async () => Promise.reject(new Error("away")), "file", counts)).rejects.toThrow("away");
  const taken = counts.take();
  expect(taken).toEqual([{ kind: "file", verb: "open", outcome: "failed", calls: 1 }]);
  counts.note("file", "open", "failed");
  counts.giveBack(taken);
  expect(counts.take()).toEqual([{ kind: "file", verb: "open", outcome: "failed", calls: 2 }]);
});

test("an ability that a session does not have stays absent", () => {
  expect(counted(new Session(), "postgres-role", createCallCounts()).revoke).toBeUndefined();
});
