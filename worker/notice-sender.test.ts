import { sql } from "kysely";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";
import {
  answers,
  floods,
  hangs,
  startNoticeReceiver,
  takes,
  type NoticeReceiver,
} from "../test/harness/notice-receiver.ts";
import { happens, isDone, newSigningSecret, openSender, registerNotice } from "../test/harness/notices.ts";

let api: TestApi;
let receiver: NoticeReceiver;
let secret: string;

beforeAll(async () => {
  api = await withApi(await withLedger());
  await adopted(api, "orders", "alder");
});
afterAll(() => api.app.close());
beforeEach(async () => {
  receiver = await startNoticeReceiver();
  secret = newSigningSecret();
});
afterEach(async () => {
  await receiver.close();
  await sql`UPDATE notices SET retired_at = clock_timestamp() WHERE retired_at IS NULL`.execute(api.deps.ledger.db);
});

const register = async (spec: Readonly<Record<string, unknown>> = {}, name = "hook") =>
  registerNotice(api, receiver, { team: "alder", name, spec }, secret);

interface Row {
  readonly state: string;
  readonly attempts: number;
  readonly last_code: string | null;
  readonly last_status: number | null;
}

const deliveries = async () =>
  (
    await sql<Row>`SELECT state, attempts, last_code, last_status FROM notice_deliveries d JOIN notices k ON k.id = d.notice_id
      WHERE k.retired_at IS NULL ORDER BY position, k.name`.execute(api.deps.ledger.db)
  ).rows;

describe("an endpoint", () => {
  it("is told once that a rotation is done, signed, in a sentence with names", async () => {
    await register();
    await happens(api, "alder/orders", isDone);
    const sender = openSender(api, [receiver]);
    await sender.runOnce();
    await sender.runOnce();
    const [one, ...others] = receiver.came;
    expect(others).toEqual([]);
    expect(new Webhook(secret).verify(one?.text ?? "", { ...one?.headers })).toMatchObject({
      type: "notice.done",
      credential: "alder/orders",
      environment: "prod",
      outcome: "proven",
      text: "alder/orders (prod) is rotated: every consumer has moved, and the former version is proven dead.",
    });
    expect(await deliveries()).toEqual([{ state: "sent", attempts: 1, last_code: "taken", last_status: 204 }]);
  });
});
void [answers, floods, hangs, takes];
