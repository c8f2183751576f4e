import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../../providers/contract/secret.ts";
import { webhook } from "../../providers/consumers/webhook/definition.ts";
import { registerOverConnection } from "../harness/over-connection.ts";
import { register } from "../harness/registered.ts";
import { answerHold } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, untilHeld, type World } from "../harness/world.ts";

const receiver = fileURLToPath(new URL("../../examples/webhook-receiver/receiver.mjs", import.meta.url));

describe.runIf(hasTemporal)("a webhook is told of versions, by the example receiver", () => {
  let world: World;
  let child: ChildProcess;
  let url = "";
  const signing = randomBytes(32).toString("base64");
  const lines: string[] = [];

  beforeAll(async () => {
    world = await openWorld();
    const file = join(world.folder, "signing-secret");
    await writeFile(file, `${signing}\n`, { mode: 0o600 });
    child = spawn(process.execPath, [receiver, file, "0"], { stdio: ["ignore", "pipe", "inherit"] });
    const port = await new Promise<string>((resolve) => {
      createInterface({ input: child.stdout ?? process.stdin }).on("line", (line) => {
        lines.push(line);
        const found = /^listening on (\d+)$/.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    url = `http://127.0.0.1:${port}/rekey`;
    await world.startWorker({ REKEY_EGRESS_LOCAL_PORTS: port });
  });

  afterAll(async () => {
    child?.kill();
    await world?.close();
  });

  async function told(secret: string) {
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    const { database, applicationName } = orders;
    await registerOverConnection(world, orders, {
      definition: webhook,
      name: "reports",
      config: { topic: orders.applicationName },
      settings: (team) => ({ url, teams: [team] }),
      secret: { secret: new Secret(secret) },
      evidence: { collectors: { sessions: { database, networks: ["127.0.0.1/32"], applicationName, instances: 1 } } },
    });
    return orders;
  }

  it("once, that the new version is there, in a rotation that is proven", async () => {
    const before = lines.length;
    const orders = await told(signing);
    expect(await untilClosed(world, await orders.rotate())).toMatchObject({ outcome: "proven" });
    expect(lines.slice(before)).toEqual([expect.stringMatching(/^credential\.delivered: version 2 of \w+\/\w+$/)]);
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("and again that the former one is back, when the rotation is undone", async () => {
    const before = lines.length;
    const orders = await told(signing);
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    await answerHold(world, rotationId, "roll-back");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(lines.slice(before).map((line) => line.replace(/ of .*/, ""))).toEqual([
      "credential.delivered: version 2",
      "credential.restored: version 1",
    ]);
    await orders.shop.close();
  });

  it("and one that knows another secret holds the rotation, with whose it is", async () => {
    const orders = await told(randomBytes(32).toString("base64"));
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "target_refused", detail: expect.stringContaining("another signing secret") });
    expect(hold.detail).toContain("Consumer reports");
    await orders.shop.close();
  });
});
