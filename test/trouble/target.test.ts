import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { editFile } from "../harness/edit-file.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, auditActions, say, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { newMark, openWorld, untilClosed, untilHeld, type World, type WorkerProcess } from "../harness/world.ts";
import { needs } from "../harness/needs.ts";

const canMount = process.geteuid?.() === 0 && process.platform === "linux";
const mounting = "needs the right to mount a tmpfs";

describe.runIf(hasTemporal)("trouble at the target", () => {
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

  /** A file system of its own for one application, as small as a full disk has to be. */
  async function smallDisk(): Promise<string> {
    const folder = join(world.folder, "targets", newMark());
    await mkdir(folder, { mode: 0o700 });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k,mode=700", "none", folder], { stdio: "ignore" });
    mounted.push(folder);
    return folder;
  }

  const remount = (orders: Registered, how: "ro" | "rw"): void => {
    execFileSync("mount", ["-o", `remount,${how}`, dirname(orders.file)], { stdio: "ignore" });
  };

  async function fill(orders: Registered): Promise<string> {
    const ballast = join(dirname(orders.file), "ballast");
    const left = await writeFile(ballast, Buffer.alloc(1_048_576)).then(
      () => "room left",
      (error: unknown) => (error instanceof Error && "code" in error ? error.code : "unknown"),
    );
    expect(left).toBe("ENOSPC");
    return ballast;
  }

  async function endsProven(orders: Registered, rotationId: string): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
    const versions = await versionsOf(world, orders.credentialId);
    expect(versions.slice(-2)).toMatchObject([
      { state: "proven-dead", kept: false },
      { state: "live", kept: true },
    ]);
  }

  /** The worker dies after the preflight and before it delivers; what follows happens to the one after it. */
  async function stopBeforeDelivery(orders: Registered): Promise<string> {
    await worker.arm("deliver:B0");
    const rotationId = await orders.rotate();
    expect(await worker.ended).toBe("SIGKILL");
    return rotationId;
  }

  async function startAgain(): Promise<void> {
    worker = await world.startWorker();
  }

  it("invariant 16: a folder that cannot be written holds before the first effect, and names the folder", async (context) => {
    needs(context, canMount, mounting);
    const orders = await register(world, { folder: await smallDisk() });
    remount(orders, "ro");
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_read_only", phase: "reserved" });
    expect(hold.detail).toContain(dirname(orders.file));
    expect(hold.detail).toContain("mount the file system writable");
    expect(await auditActions(world, rotationId)).not.toContain("operation.intended");
    remount(orders, "rw");
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 16: a disk without room for a second copy holds before the first effect", async (context) => {
    needs(context, canMount, mounting);
    const orders = await register(world, { folder: await smallDisk() });
    const ballast = await fill(orders);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_full", phase: "reserved" });
    expect(hold.detail).toContain(dirname(orders.file));
    expect(await auditActions(world, rotationId)).not.toContain("operation.intended");
    await writeFile(ballast, "");
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 1: a disk that is full while it is written keeps the former file whole, and holds", async (context) => {
    needs(context, canMount, mounting);
    const orders = await register(world, { folder: await smallDisk() });
    const before = await text(orders);
    const rotationId = await stopBeforeDelivery(orders);
    const ballast = await fill(orders);
    await startAgain();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_full", phase: "issued" });
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain(orders.file);
    expect(await text(orders)).toBe(before);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([
      { state: "live", kept: true },
      { state: "live", kept: true },
    ]);
    await writeFile(ballast, "");
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 1: a folder that turns read-only while the rotation runs holds with the former file whole", async (context) => {
    needs(context, canMount, mounting);
    const orders = await register(world, { folder: await smallDisk() });
    const before = await text(orders);
    const rotationId = await stopBeforeDelivery(orders);
    remount(orders, "ro");
    await startAgain();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_read_only", phase: "issued" });
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain(orders.file);
    expect(await text(orders)).toBe(before);
    remount(orders, "rw");
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  /** Somebody gave the application a login by hand, which works. */
  async function editByHand(orders: Registered): Promise<string> {
    const name = `byhand_${newMark()}`;
    const password = newSecret();
    await world.issuer.ask(
      `CREATE ROLE ${name} LOGIN PASSWORD '${password}'; GRANT ${orders.owner} TO ${name}; ALTER ROLE ${name} SET role = '${orders.owner}'`,
    );
    const now = await text(orders);
    const foreign = now
      .replace(/^DB_USER=.*$/m, `DB_USER=${name}`)
      .replace(/^DB_PASSWORD=.*$/m, `DB_PASSWORD=${password}`);
    await editFile(orders.file, foreign);
    return foreign;
  }

  it("invariant 12: what was written by hand between two rotations is not overwritten by the second", async () => {
    const orders = await register(world);
    await untilClosed(world, await orders.rotate());
    const delivered = await text(orders);
    const foreign = await editByHand(orders);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_drift", phase: "reserved" });
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain(orders.file);
    expect(hold.detail).toContain("Put version 2 back");
    expect(await text(orders)).toBe(foreign);
    expect(await auditActions(world, rotationId)).not.toContain("operation.intended");
    await editFile(orders.file, delivered);
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 12: what was written by hand between issue and delivery is not overwritten", async () => {
    const orders = await register(world);
    const before = await text(orders);
    const rotationId = await stopBeforeDelivery(orders);
    const foreign = await editByHand(orders);
    await startAgain();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_drift", phase: "issued" });
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain("Put version 1 back");
    expect(await text(orders)).toBe(foreign);
    await editFile(orders.file, before);
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 12: what was written by hand after the delivery is not overwritten by the undo", async () => {
    const orders = await register(world, { policy: { graceMs: 60_000 } });
    const before = await text(orders);
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    const delivered = await text(orders);
    const foreign = await editByHand(orders);
    await say(world, rotationId, { kind: "abort" });
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "restore_failed" });
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain("Put version");
    expect(await text(orders)).toBe(foreign);
    await editFile(orders.file, delivered);
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await text(orders)).toBe(before);
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 12: other settings that somebody changes in the same file stay, and hold up nothing", async () => {
    const orders = await register(world, { policy: { graceMs: 2_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await editFile(orders.file, (await text(orders)).replace("MODE=live", "MODE=by-hand"));
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await endsProven(orders, await orders.rotate());
    expect(await text(orders)).toContain("MODE=by-hand");
  });

  it("invariant 4: a file that is the only evidence and was changed back by hand keeps the old version alive", async () => {
    const orders = await register(world, {
      evidence: { wanted: "delivered", collectors: {} },
      policy: { graceMs: 1_500, holdAfterMs: 300 },
    });
    const before = await text(orders);
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    const delivered = await text(orders);
    await editFile(orders.file, before);
    const hold = await untilHeld(world, rotationId);
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain("does not hold version 2 any more");
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    await editFile(orders.file, delivered);
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 16: a file that does not parse holds before the first effect, and names the file", async () => {
    const orders = await register(world);
    const before = await text(orders);
    const broken = `${before}NOTE="never closed\n`;
    await editFile(orders.file, broken);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_malformed", phase: "reserved" });
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain(orders.file);
    expect(await text(orders)).toBe(broken);
    expect(await auditActions(world, rotationId)).not.toContain("operation.intended");
    await editFile(orders.file, before);
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 1: a folder that others may write by now is not written: the rotation undoes itself and says why", async () => {
    const folder = join(world.folder, "targets", newMark());
    await mkdir(folder, { mode: 0o700 });
    const orders = await register(world, { folder });
    const before = await text(orders);
    const rotationId = await stopBeforeDelivery(orders);
    await chmod(folder, 0o777);
    await startAgain();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    const { rows } = await sql<{ why: string }>`
      SELECT details ->> 'why' AS why FROM audit WHERE rotation_id = ${rotationId} AND action = 'step.failed'`.execute(
      world.ledger.db,
    );
    expect(rows[0]?.why).toContain(`Consumer shop (file:${orders.file})`);
    expect(rows[0]?.why).toContain(`chmod go-w ${folder}`);
    expect(await text(orders)).toBe(before);
    await chmod(folder, 0o700);
    await endsProven(orders, await orders.rotate());
  });
});
