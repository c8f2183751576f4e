import { randomBytes } from "node:crypto";
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, auditActions, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, untilClosed, untilHeld, type World, type WorkerProcess } from "../harness/world.ts";

const program = fileURLToPath(new URL("../../worker/program.ts", import.meta.url));

describe.runIf(hasTemporal)("trouble in custody", () => {
  let world: World;
  let worker: WorkerProcess;
  let keyFile: string;

  beforeAll(async () => {
    world = await openWorld();
    worker = await world.startWorker();
    keyFile = join(world.folder, "keys", "custody.json");
  });

  afterAll(async () => world?.close());

  /** Runs the worker's own program until it ends by itself, and returns all that it said. */
  async function runProgram(): Promise<{ readonly said: string; readonly failed: unknown; readonly code: number }> {
    const child = fork(program, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        PATH: process.env["PATH"],
        DATABASE_URL: world.ledgerUrl,
        TEMPORAL_ADDRESS: world.temporalAddress,
        REKEY_HOME: world.folder,
      },
    });
    let said = "";
    let failed: unknown;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.on("message", (message) => (failed = message));
    const [code] = (await once(child, "exit")) as [number];
    return { said, failed, code };
  }

  async function endsProven(orders: Registered, rotationId: string): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([
      { state: "proven-dead", kept: false },
      { state: "live", kept: true },
    ]);
  }

  it("a worker without the key file refuses to start, names the file, and makes no new key", async () => {
    const orders = await register(world, { policy: { graceMs: 3_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await worker.stop();
    const aside = `${keyFile}.aside`;
    await rename(keyFile, aside);
    const { said, failed, code } = await runProgram();
    expect(code).toBe(1);
    expect(failed).toMatchObject({ failed: { code: "custody_key_missing", title: "The custody key is missing" } });
    expect(JSON.stringify(failed)).toContain(keyFile);
    expect(JSON.stringify(failed)).toContain("REKEY_CUSTODY_KEY_FILE");
    expect(said).not.toMatch(/^\s+at /m);
    await expect(readFile(keyFile)).rejects.toMatchObject({ code: "ENOENT" });
    await rename(aside, keyFile);
    worker = await world.startWorker();
    await endsProven(orders, rotationId);
  });

  // The worker may drain, which needs no value, between the event that was awaited and its stop.
  it.each([
    ["reserved", ["reserved"]],
    ["promoted", ["promoted", "drained"]],
  ])(
    "a worker with another key than the one that sealed holds after %s, undoes nothing, and goes on with the right one",
    async (phase, heldIn) => {
      const orders = await register(world, { policy: { graceMs: 3_000 } });
      const right = await readFile(keyFile, "utf8");
      const swap = async () => {
        await worker.stop();
        const content = JSON.parse(right) as { keys: { key: string }[] };
        for (const each of content.keys) each.key = randomBytes(32).toString("base64");
        await writeFile(keyFile, JSON.stringify(content));
        worker = await world.startWorker();
      };
      let rotationId: string;
      if (phase === "reserved") {
        await swap();
        rotationId = await orders.rotate();
      } else {
        rotationId = await orders.rotate();
        await untilPhase(world, rotationId, phase);
        await swap();
      }
      const hold = await untilHeld(world, rotationId);
      expect(hold).toMatchObject({ code: "custody_unreadable", phase: expect.toBeOneOf(heldIn) as string });
      expect(hold.detail).toContain("is not the one that sealed this value");
      expect(hold.detail).toContain("Restore the right key file");
      expect(await readRotation(world, rotationId)).toMatchObject({ direction: "forward", outcome: null });
      expect((await versionsOf(world, orders.credentialId))[0]).toMatchObject({ state: "live", kept: true });
      await writeFile(keyFile, right);
      await worker.stop();
      worker = await world.startWorker();
      await answerHold(world, rotationId, "retry");
      await endsProven(orders, rotationId);
      expect(await auditActions(world, rotationId)).not.toContain("rotation.undo-begun");
    },
  );

  it("a worker whose key file lacks the key that sealed holds and names the key", async () => {
    const orders = await register(world);
    const right = await readFile(keyFile, "utf8");
    await worker.stop();
    const content = JSON.parse(right) as { keys: { id: string }[] };
    const [first] = content.keys;
    const id = first?.id ?? "";
    for (const each of content.keys) each.id = "key_of_somebody_else";
    await writeFile(keyFile, JSON.stringify(content));
    worker = await world.startWorker();
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "custody_key_missing", phase: "reserved" });
    expect(hold.detail).toContain(id);
    expect(hold.detail).toContain("Put that key back");
    await writeFile(keyFile, right);
    await worker.stop();
    worker = await world.startWorker();
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });
});
