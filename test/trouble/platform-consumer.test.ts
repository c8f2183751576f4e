import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCheck, requestCheck } from "../../ledger/checks.ts";
import { transact } from "../../ledger/database.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { changeCluster, fakeSecret, makeCluster, readCluster, type Pod } from "../harness/fake-cluster.ts";
import { registerOverConnection } from "../harness/over-connection.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, auditActions, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { newMark, openWorld, untilClosed, untilHeld, untilLedger, type World } from "../harness/world.ts";

const key = "web/orders";
const keys = { DB_USER: "username", DB_PASSWORD: "password" };
const config = { space: "web", secret: "orders", keys, pods: true };

describe.runIf(hasTemporal)("a consumer on a platform, reached over a connection", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker();
  });

  afterAll(async () => world?.close());

  /** Two pods read the secret, one of which a restart does not move. */
  async function onCluster(holdAfterMs = 500) {
    const orders = await register(world, { policy: { holdAfterMs } });
    const folder = join(world.folder, `cluster-${newMark()}`);
    const token = randomBytes(16).toString("hex");
    const data = { DB_USER: orders.logins[0] ?? "", DB_PASSWORD: orders.password };
    await makeCluster(folder, {
      token,
      secrets: { [key]: { data } },
      pods: { "pod-a": { startedAt: 0 }, "pod-b": { startedAt: 0, isStuck: true } },
    });
    const settings = (spaces: readonly string[]) => (team: string) => ({ folder, spaces: { [team]: [...spaces] } });
    const reached = await registerOverConnection(world, orders, {
      definition: fakeSecret,
      name: "pods",
      config,
      settings: settings(["web"]),
      secret: { token: new Secret(token) },
    });
    return {
      ...reached,
      orders,
      folder,
      token,
      data,
      settings,
      held: async () => (await readCluster(folder)).secrets[key]?.data,
      /** As its people would: the stuck pod is started anew, and holds what lies there now. */
      restart: async () =>
        changeCluster(folder, (now) => ({
          ...now,
          pods: { ...now.pods, "pod-b": { startedAt: now.clock } satisfies Pod },
        })),
    };
  }

  /** What `rekey consumer test` tries, and how that went. */
  async function tested(consumerId: string): Promise<Readonly<Record<string, string>>> {
    const request = { kind: "consumer-test", subjectId: consumerId, requestedBy: "tok_test" } as const;
    const checkId = await transact(world.ledger, async (trx) => requestCheck(trx, request));
    const { result } = await untilLedger(async () => {
      const found = await readCheck(world.ledger.db, "everything", checkId);
      return found?.state === "pending" ? undefined : found;
    });
    const { parts } = result as { readonly parts: readonly { readonly part: string; readonly state: string }[] };
    return Object.fromEntries(parts.map(({ part, state }) => [part, state]));
  }

  async function expectUnnoticed(orders: Registered) {
    expect((await orders.shop.close()).failures).toEqual([]);
  }

  it("holds for the one instance that stays old, by its name; it is adopted once that has started anew", async () => {
    const { orders, consumerId, held, data, restart } = await onCluster();
    // Before the first delivery no instance can show what it started with: nothing is to be mended.
    expect(await tested(consumerId)).toMatchObject({ content: "ok", platform: "left-out" });
    const rotationId = await orders.rotate();
    const hold = await answerHold(world, rotationId, "retry");
    expect(hold.code).toBe("evidence_missing");
    expect(hold.detail).toContain("Instance pod-b has not started anew with version 2.");
    expect(hold.detail).not.toContain("pod-a");
    await restart();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await tested(consumerId)).toMatchObject({ content: "ok", platform: "ok" });
    expect(await held()).toEqual({ DB_USER: orders.logins[1], DB_PASSWORD: expect.any(String) });
    expect(await held()).not.toEqual(data);
    await expectUnnoticed(orders);
  });

  it("the undo puts the previous value back and waits until each instance has started with it", async () => {
    const { orders, held, data, restart, edit, settings } = await onCluster();
    const rotationId = await orders.rotate();
    const hold = await answerHold(world, rotationId, "roll-back");
    expect(hold.code).toBe("evidence_missing");
    const back = await answerHold(world, rotationId, "retry");
    expect(back.detail).toContain("Instance pod-b has not started anew with version 1.");
    expect(await held()).toEqual(data);
    // The connection is looked at again in the undo, and each answer of a person counts for it as it is then.
    await edit(settings(["web", "more"]));
    const edited = await answerHold(world, rotationId, "retry");
    expect(edited.code).toBe("connection_changed");
    await restart();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await held()).toEqual(data);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "live" }, { state: "proven-dead" }]);
    await expectUnnoticed(orders);
  });

  it("invariant 10: pods that run on the candidate after a restore that failed are no evidence of the version before", async () => {
    const { orders, folder, held, data, restart } = await onCluster();
    const rotationId = await orders.rotate();
    await untilHeld(world, rotationId);
    await changeCluster(folder, (now) => ({ ...now, isReadOnly: true }));
    await answerHold(world, rotationId, "roll-back");
    // Every pod is of the newest delivery, which is the candidate's.
    await restart();
    const failed = await untilHeld(world, rotationId);
    expect(failed).toMatchObject({ code: "restore_failed" });
    await answerHold(world, rotationId, "accept");
    const hold = await untilHeld(world, rotationId);
    expect(hold.detail).toContain("This rotation brought version 2 to");
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "live" }, { state: "live" }]);
    await changeCluster(folder, ({ isReadOnly: _, ...now }) => now);
    expect(await held()).not.toEqual(data);
    await orders.shop.close();
  });

  it("an edited connection is seen by a person, and a narrowed one is given nothing", async () => {
    const { orders, held, edit, settings, restart, token } = await onCluster(60_000);
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "delivered");
    const delivered = await held();
    await edit(settings([]));
    const first = await answerHold(world, rotationId, "retry");
    expect(first.code).toBe("connection_changed");
    const second = await untilHeld(world, rotationId);
    expect(second).toMatchObject({ code: "target_refused" });
    expect(second.detail).toMatch(/Consumer pods \(fake-secret:.*\): Add web to the connection's spaces of team/);
    await edit(settings(["web"]));
    await answerHold(world, rotationId, "retry");
    expect((await answerHold(world, rotationId, "retry")).code).toBe("connection_changed");
    await restart();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await held()).toEqual(delivered);
    expect(await auditActions(world, rotationId)).not.toContain("rotation.undo-begun");
    expect(world.workerOutput()).not.toContain(token);
    await expectUnnoticed(orders);
  });

  it("a platform that does not answer is asked again, and then a person is", async () => {
    const { orders, folder, restart } = await onCluster(60_000);
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "delivered");
    await changeCluster(folder, (now) => ({ ...now, isDown: true }));
    const hold = await answerHold(world, rotationId, "retry");
    expect(hold).toMatchObject({ code: "target_unreachable" });
    expect(hold.detail).toContain("Consumer pods (fake-secret:");
    await changeCluster(folder, ({ isDown: _, ...now }) => now);
    await restart();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await expectUnnoticed(orders);
  });
});
