import { sql } from "kysely";
import { expect, test } from "vitest";
import { register } from "../test/harness/api-rows.ts";
import { withApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { newId } from "./new-id.ts";

test("an endpoint that heard of all and hears of its own team alone now shows that team nothing of the others", async () => {
  const api = await withApi(await withLedger());
  const { db } = api.deps.ledger;
  const notice = (of: string) =>
    JSON.stringify({
      ...{ apiVersion: "rekey/v1", kind: "Notice", metadata: { name: "hook", team: "alder" } },
      spec: { format: "webhook", url: "https://alder.example.com/", of },
    });
  await register(api, JSON.stringify({ apiVersion: "rekey/v1", kind: "Team", metadata: { name: "alder" } }));
  await register(api, notice("all"));
  const told = async (id: string) => {
    await sql`
      INSERT INTO notice_deliveries (id, notice_id, position, event, body)
      SELECT ${id}, id, (SELECT count(*) + 1 FROM notice_deliveries), 'done', '{"text": "birch/payments"}' FROM notices
      `.execute(db);
  };
  const { rows: teams } = await sql<{ id: string }>`SELECT id FROM teams WHERE name = 'alder'`.execute(db);
  const alder = await api.as("team", teams[0]?.id ?? "");
  await told(newId("noticeDelivery"));
  await register(api, notice("own"));
  const shown = await alder.ask("GET", "/notices/alder%2Fhook/deliveries");
  expect([shown.status, shown.json["deliveries"]]).toEqual([200, []]);
  // What it is told from then on stays.
  await told(newId("noticeDelivery"));
  await register(api, notice("own"));
  expect((await alder.ask("GET", "/notices/alder%2Fhook/deliveries")).text).toContain("birch/payments");
  await api.app.close();
});
