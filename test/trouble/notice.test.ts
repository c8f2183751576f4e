import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Webhook } from "standardwebhooks";
import { connectionSecretRef } from "../../custody/refs.ts";
import { noticeEventNames } from "../../domain/notice.ts";
import { recordEvent } from "../../ledger/audit.ts";
import { transact } from "../../ledger/database.ts";
import { readInstance } from "../../ledger/health.ts";
import { newId } from "../../ledger/new-id.ts";
import { secretPlace, storeNotice, storeNoticeSecret } from "../../ledger/notice-rows.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { hangs, startNoticeReceiver, takes, type NoticeReceiver } from "../harness/notice-receiver.ts";
import { isDone, newSigningSecret } from "../harness/notices.ts";
import { register, type Registered } from "../harness/registered.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, untilLedger, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("notices, by workers that can die", () => {
  let world: World;
  let receiver: NoticeReceiver;
  let orders: Registered;
  let noticeId = "";
  const secret = newSigningSecret();

  beforeAll(async () => {
    world = await openWorld();
    receiver = await startNoticeReceiver();
    const worker = await world.startWorker();
    orders = await register(world);
    await worker.stop();
    noticeId = await registerEndpoint();
  });
  afterAll(async () => {
    await orders?.shop.close();
    await receiver?.close();
    await world?.close();
  });

  /** As `rekey apply` does. */
  async function registerEndpoint(): Promise<string> {
    const { rows } = await sql<{ teamId: string }>`
      SELECT team_id AS "teamId" FROM credentials WHERE id = ${orders.credentialId}`.execute(world.ledger.db);
    const settings = { format: "webhook" as const, url: receiver.url, ca: receiver.ca };
    const row = {
      ...{ id: newId("notice"), team: "", teamId: rows[0]?.teamId ?? "", name: "hook", settings, isOfAll: false },
      ...{ events: noticeEventNames, signBothForMs: 1_000, secret: null, secretRevision: 0, secretFingerprint: null },
      former: null,
    };
    const held = { row: newId("custodyValue"), revision: 1 };
    const ref = connectionSecretRef(secretPlace(row, held), await readInstance(world.ledger));
    await world.custody.putIfAbsent(ref, { secret: new Secret(secret) });
    await transact(world.ledger, async (trx) => {
      await storeNotice(trx, row, { actor: "tok_test", isNew: true, changes: [] });
      const given = { ...held, noticeId: row.id, fingerprint: "none", keepsFormer: false };
      await storeNoticeSecret(trx, given, "tok_test");
    });
    return row.id;
  }

  const environment = () => ({ REKEY_EGRESS_LOCAL_PORTS: String(receiver.port), REKEY_NOTICE_EVERY_MS: "100" });
  const happens = async () =>
    transact(world.ledger, async (trx) =>
      recordEvent(trx, { credentialId: orders.credentialId, actor: "test", ...isDone }),
    );
  const untilAllSent = async () =>
    untilLedger(async () => {
      const { rows } = await sql<{ n: number; attempts: number }>`
        SELECT count(*) AS n, sum(attempts) AS attempts FROM notice_deliveries
        WHERE notice_id = ${noticeId} HAVING bool_and(state = 'sent')`.execute(world.ledger.db);
      return rows[0];
    });

  it("a worker that is killed between the answer and writing it down leaves one that comes again with the same id", async () => {
    const first = await world.startWorker({ ...environment(), REKEY_FAILPOINT: "notice:B3" });
    await happens();
    expect(await first.ended).toBe("SIGKILL");
    expect(receiver.came).toHaveLength(1);
    // As after the time of its turn: nobody else may tell meanwhile.
    await sql`UPDATE notices SET turn_until = clock_timestamp()`.execute(world.ledger.db);
    const second = await world.startWorker(environment());
    await untilAllSent();
    const [a, b, ...others] = receiver.came;
    expect([a?.id, others]).toEqual([b?.id, []]);
    expect(a?.text).toBe(b?.text);
    expect(() => new Webhook(secret).verify(b?.text ?? "", { ...b?.headers })).not.toThrow();
    await second.stop();
  });

  it("two workers tell each notice of what happens meanwhile once, and a receiver that hangs keeps no rotation waiting", async () => {
    receiver.behave = hangs;
    const workers = await Promise.all([1, 2].map(async () => world.startWorker(environment())));
    const before = receiver.came.length;
    await happens();
    await receiver.until(before + 1);
    const rotationId = await orders.rotate();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    receiver.behave = takes;
    await sql`
      UPDATE notice_deliveries SET next_at = clock_timestamp() WHERE state = 'pending'`.execute(world.ledger.db);
    await sql`UPDATE notices SET rests_until = NULL`.execute(world.ledger.db);
    await untilAllSent();
    const about = receiver.came.filter(({ body }) => body["rotation"] === rotationId);
    const taken = new Map(about.map(({ id, body }) => [id, String(body["type"])]));
    expect([...taken.values()].toSorted()).toEqual(["notice.done", "notice.started"]);
    for (const worker of workers) await worker.stop();
    for (const form of [secret, secret.slice("whsec_".length)]) expect(world.workerOutput()).not.toContain(form);
  });
});
