import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inFile, programStore, type ProgramStore } from "../harness/also-registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("a credential that a file and a program of one's own bring to its consumers", () => {
  let folder: string;
  let store: ProgramStore;
  let bench: StepBench;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rk-own-program-"));
    store = await programStore(folder);
    bench = await openStepBench({ REKEY_EXEC_CONSUMERS_FILE: store.settings });
  });
  afterAll(async () => {
    await bench?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("is rotated at both, and each reads the same new login", async () => {
    const orders = await bench.register();
    await store.also(bench, orders, "both");
    const before = await inFile(orders);
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { outcome, hold } = await readRotation(bench, rotationId);
    expect({ outcome, hold }).toEqual({ outcome: "proven", hold: null });
    expect(await store.held("both")).toEqual(await inFile(orders));
    expect((await inFile(orders)).username).not.toBe(before.username);
    expect(await readFile(join(folder, "both.json.reloads"), "utf8")).toBe("reload\n");
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("is undone at both when the program cannot take the new value", async () => {
    const orders = await bench.register();
    await store.also(bench, orders, "undone");
    await store.refuse(orders.logins[1] ?? "");
    const before = await inFile(orders);
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { outcome, hold } = await readRotation(bench, rotationId);
    expect({ outcome, hold }).toEqual({ outcome: "undone", hold: null });
    expect(await inFile(orders)).toEqual(before);
    expect(await store.held("undone")).toEqual(before);
    const { held, failures } = await orders.shop.close();
    expect(new Set(held.map(({ user }) => user)).size).toBe(2);
    expect(failures).toEqual([]);
  });
});
