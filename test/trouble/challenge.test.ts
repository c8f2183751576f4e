import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, untilClosed, untilHeld, type World } from "../harness/world.ts";

type AnswerChallenge = (
  settings: { readonly instance: string; readonly consumer: string; readonly instanceId: string },
  passwordInUse: () => string | undefined,
) => RequestListener;
const responder = new URL("../../examples/challenge-responder/node.mjs", import.meta.url).href;
const { answerChallenge } = (await import(responder)) as { answerChallenge: AnswerChallenge };

describe.runIf(hasTemporal)("planted consumers that answer a challenge", () => {
  let world: World;
  let server: Server;
  let port: number;
  let answering: RequestListener = (_request, response) => response.writeHead(503).end();

  beforeAll(async () => {
    server = createServer((request, response) => answering(request, response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    ({ port } = server.address() as AddressInfo);
    world = await openWorld();
    await world.startWorker({ REKEY_EGRESS_LOCAL_PORTS: String(port) });
  });

  afterAll(async () => {
    await world?.close();
    server?.closeAllConnections();
    server?.close();
  });

  const url = () => `http://127.0.0.1:${port}/rekey`;

  async function instanceId(): Promise<string> {
    const { rows } = await sql<{ id: string }>`SELECT id FROM instance`.execute(world.ledger.db);
    return rows[0]?.id ?? "";
  }

  const passwordIn = async ({ file }: Registered): Promise<string> =>
    /^DB_PASSWORD=["']?([^"'\n]*)/m.exec(await readFile(file, "utf8"))?.[1] ?? "";

  async function endsProven(orders: Registered, rotationId: string): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "proven-dead" }, { state: "live" }]);
  }

  const firstIsAccepted = async (orders: Registered) =>
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");

  it.each(["with sessions that match it", "that matches no session"])(
    "invariant 4: a consumer %s answers from its file while its pool is old: the use of the old version blocks",
    async (kind) => {
      const isMatched = kind.startsWith("with");
      const mark = { name: "" };
      const sessions = { database: "", networks: ["127.0.0.1/32"] };
      const collectors: Record<string, unknown> = { challenge: { url: url() } };
      const orders = await register(world, {
        evidence: { wanted: "attested", collectors },
        policy: { holdAfterMs: 500 },
      });
      mark.name = orders.applicationName;
      if (isMatched) {
        const evidence = {
          wanted: "attested",
          collectors: { ...collectors, sessions: { ...sessions, database: orders.database } },
        };
        await sql`UPDATE consumers SET evidence = ${JSON.stringify(evidence)}::jsonb WHERE id = ${orders.consumerId}
          `.execute(world.ledger.db);
      }
      orders.shop.isStubborn = true;
      const settings = { instance: await instanceId(), consumer: orders.consumerId, instanceId: "shop-1" };
      answering = (request, response) => {
        void passwordIn(orders).then((password) => answerChallenge(settings, () => password)(request, response));
      };
      const rotationId = await orders.rotate();
      const hold = await untilHeld(world, rotationId);
      // It was believed when it said that it had moved, and caught by what its issuer sees.
      expect(await readRotation(world, rotationId)).toMatchObject({ phase: "promoted" });
      const gaps = JSON.stringify(hold.gaps);
      expect(gaps).toContain("still_in_use:sessions");
      expect(gaps).not.toContain("evidence_missing");
      expect(hold.detail).toContain(isMatched ? "match consumer shop" : `application "${mark.name}"`);
      await firstIsAccepted(orders);
      orders.shop.isStubborn = false;
      await answerHold(world, rotationId, "retry");
      await endsProven(orders, rotationId);
    },
  );

  it("invariant 4: one of three instances behind one address is old: it is named, and nothing is ended", async () => {
    const orders = await register(world, {
      evidence: { wanted: "attested", collectors: { challenge: { url: url(), instances: { count: 3 } } } },
      policy: { holdAfterMs: 500 },
    });
    const instance = await instanceId();
    const inUse = new Map(["shop-1", "shop-2", "shop-3"].map((id) => [id, ""]));
    let isOneOld = true;
    let turn = 0;
    const refresh = async () => {
      const password = await passwordIn(orders);
      for (const id of inUse.keys()) inUse.set(id, isOneOld && id === "shop-2" ? orders.password : password);
    };
    // A balancer: each connection meets the next instance.
    answering = (request, response) => {
      const id = [...inUse.keys()][turn++ % inUse.size] ?? "";
      const settings = { instance, consumer: orders.consumerId, instanceId: id };
      void refresh().then(() => answerChallenge(settings, () => inUse.get(id))(request, response));
    };
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "evidence_missing", phase: "delivered" });
    expect(hold.detail).toContain("Consumer shop");
    expect(hold.detail).toContain("Instance shop-2 at 127.0.0.1 is still on the old version 1");
    await firstIsAccepted(orders);
    isOneOld = false;
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 4: three instances of which only two answer are not complete", async () => {
    const orders = await register(world, {
      evidence: { wanted: "attested", collectors: { challenge: { url: url(), instances: { count: 3 } } } },
      policy: { holdAfterMs: 500 },
    });
    const instance = await instanceId();
    let alive = 2;
    let turn = 0;
    answering = (request, response) => {
      const settings = { instance, consumer: orders.consumerId, instanceId: `shop-${1 + (turn++ % alive)}` };
      void passwordIn(orders).then((password) => answerChallenge(settings, () => password)(request, response));
    };
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "evidence_missing", phase: "delivered" });
    expect(hold.detail).toContain("2 of 3 instances");
    await firstIsAccepted(orders);
    alive = 3;
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });
});
