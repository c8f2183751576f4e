import { execFileSync } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import {
  newMark,
  openWorld,
  untilClosed,
  untilHeld,
  untilLedger,
  type World,
  type WorkerProcess,
} from "../harness/world.ts";
import { needs } from "../harness/needs.ts";

const canMount = process.geteuid?.() === 0 && process.platform === "linux";

/** Between the cut and the delivery nobody gets in: here trouble is an outage, so it has to end or be told. */
describe.runIf(hasTemporal)("trouble in a single slot", () => {
  let world: World;
  let worker: WorkerProcess;
  const mounted: string[] = [];

  beforeAll(async () => {
    world = await openWorld();
    worker = await world.startWorker();
  });

  afterAll(async () => {
    for (const folder of mounted) execFileSync("umount", [folder], { stdio: "ignore" });
    await world?.close();
  });

  const text = (orders: Registered) => readFile(orders.file, "utf8");
  const accepts = async (orders: Registered, password: string) =>
    world.issuer.logsIn(orders.logins[0] ?? "", password, orders.database);

  async function onSmallDisk(): Promise<Registered> {
    const folder = join(world.folder, "targets", newMark());
    await mkdir(folder, { mode: 0o700 });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k,mode=700", "none", folder], { stdio: "ignore" });
    mounted.push(folder);
    return register(world, { order: "single-slot", folder });
  }

  const remount = (orders: Registered, how: "ro" | "rw"): void => {
    execFileSync("mount", ["-o", `remount,${how}`, dirname(orders.file)], { stdio: "ignore" });
  };

  /** The slot is cut and the target cannot be written: the worst place to be in. */
  async function cutWithoutDelivery(orders: Registered) {
    await worker.arm("deliver:B0");
    const rotationId = await orders.rotate();
    expect(await worker.ended).toBe("SIGKILL");
    remount(orders, "ro");
    worker = await world.startWorker();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_read_only", phase: "cut" });
    expect(hold.detail).toContain(`Consumer shop (file:${orders.file})`);
    expect(await accepts(orders, orders.password)).toBe("28P01");
    return rotationId;
  }

  it("invariant 9: a target that cannot be written after the cut holds, and once it can the rotation is proven", async (context) => {
    needs(context, canMount, "needs the right to mount a tmpfs");
    const orders = await onSmallDisk();
    const rotationId = await cutWithoutDelivery(orders);
    remount(orders, "rw");
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([
      { state: "proven-dead", kept: false },
      { state: "live", kept: true },
    ]);
    const seen = orders.shop.report().logins;
    await untilLedger(async () => (orders.shop.report().logins > seen ? true : undefined));
    await orders.shop.close();
  });

  it("invariant 10: a target that cannot be written after the cut is cut back, and the application is in again", async (context) => {
    needs(context, canMount, "needs the right to mount a tmpfs");
    const orders = await onSmallDisk();
    const before = await text(orders);
    const rotationId = await cutWithoutDelivery(orders);
    await answerHold(world, rotationId, "roll-back");
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "restore_failed" });
    expect(hold.detail).toContain(orders.file);
    // The file holds the former value all along, so a person may say: go on.
    await answerHold(world, rotationId, "accept");
    // The slot is cut back before anybody is asked again: what is asked is only whether the candidate may be forgotten.
    const last = await untilHeld(world, rotationId);
    expect(last.detail).toContain("Consumer shop: version 1 was never delivered to it.");
    expect(await accepts(orders, orders.password)).toBe("accepted");
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await text(orders)).toBe(before);
    expect(await accepts(orders, orders.password)).toBe("accepted");
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([
      { state: "live", kept: true },
      { state: "proven-dead", kept: false },
    ]);
    const seen = orders.shop.report().logins;
    await untilLedger(async () => (orders.shop.report().logins > seen ? true : undefined));
    await orders.shop.close();
  });

  it("invariant 9: an issuer that goes away in a single slot's undo holds, and the undo ends once it is back", async () => {
    const orders = await register(world, { order: "single-slot", policy: { graceMs: 60_000 } });
    const before = await text(orders);
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await world.issuer.halt();
    try {
      await untilHeld(world, rotationId);
      await answerHold(world, rotationId, "roll-back");
      const hold = await untilHeld(world, rotationId);
      expect(hold.code).toBe("issuer_unreachable");
      expect(hold.detail).toContain("Check that the server runs");
    } finally {
      await world.issuer.resume();
    }
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await text(orders)).toBe(before);
    expect(await accepts(orders, orders.password)).toBe("accepted");
    await orders.shop.close();
  });
});
