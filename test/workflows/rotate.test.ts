import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { register } from "../harness/registered.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("a rotation under live traffic", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker();
  });

  afterAll(async () => world?.close());

  it("invariant 1: overlap moves the application, ends the old login and proves it dead, unnoticed", async () => {
    const orders = await register(world);
    const rotationId = await orders.rotate();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    const report = await orders.shop.close();
    expect(report.failures).toEqual([]);
    expect(report.logins).toBeGreaterThan(10);
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("28P01");
  });
});
