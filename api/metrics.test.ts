import { sql } from "kysely";
import { expect, test } from "vitest";
import { addProviderCalls } from "../ledger/provider-calls.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { makeCredentials, makeRotations } from "../test/harness/rows.ts";
import { withApi } from "../test/harness/api.ts";
import { renderMetrics } from "./metrics.ts";

test("the metrics tell what stands in the ledger, by words of closed vocabularies and nobody's name", async () => {
  const { ledger } = await withLedger();
  await makeCredentials(ledger, 3);
  const [one = "", two = ""] = await makeRotations(ledger, 2);
  await sql`UPDATE rotations SET phase = 'delivered' WHERE id = ${one}`.execute(ledger.db);
  await sql`INSERT INTO holds (id, rotation_id, number, phase, code, detail, opened_at)
    VALUES ('hld_1', ${one}, 1, 'delivered', 'evidence_missing', 'x', clock_timestamp() - interval '90 seconds')
    `.execute(ledger.db);
  await sql`UPDATE rotations SET phase = 'closed', outcome = 'proven', closed_at = clock_timestamp(),
    created_at = clock_timestamp() - interval '60 seconds' WHERE id = ${two}`.execute(ledger.db);
  for (const [action, ago] of [
    ["rotation.adopted", "40 seconds"],
    ["version.proven-dead", "10 seconds"],
  ])
    await sql`INSERT INTO audit (rotation_id, actor, action, at)
      VALUES (${two}, 'system:worker', ${action}, clock_timestamp() - ${ago}::interval)`.execute(ledger.db);
  await sql`INSERT INTO audit (rotation_id, actor, action, details)
    VALUES (${one}, 'system:worker', 'step.failed', '{"code": "throttled"}')`.execute(ledger.db);
  const call = { kind: "postgres-role", verb: "probe", calls: 3 };
  for (const outcome of ["ok", "throttled", "ok"] as const) await addProviderCalls(ledger.db, [{ ...call, outcome }]);
  const { text, contentType } = await renderMetrics(ledger);
  expect(contentType).toContain("text/plain");
  const valueOf = (line: string) =>
    Number(new RegExp(`^${line.replaceAll(/[{}"]/g, "\\$&")} (.*)$`, "m").exec(text)?.[1]);
  expect(valueOf("rekey_credentials")).toBe(5);
  expect(valueOf('rekey_rotations_open{phase="delivered"}')).toBe(1);
  expect(valueOf('rekey_rotations_closed_last_day{outcome="proven"}')).toBe(1);
  expect(valueOf('rekey_holds_open{code="evidence_missing"}')).toBe(1);
  expect(valueOf("rekey_hold_age_seconds_max")).toBeGreaterThanOrEqual(90);
  expect(valueOf('rekey_step_failures_last_day{code="throttled"}')).toBe(1);
  expect(Math.round(valueOf('rekey_time_to_adopted_seconds{quantile="0.5"}'))).toBe(20);
  expect(Math.round(valueOf('rekey_time_to_dead_seconds{quantile="0.99"}'))).toBe(50);
  expect(valueOf('rekey_provider_calls_total{kind="postgres-role",verb="probe",outcome="ok"}')).toBe(6);
  expect(valueOf('rekey_provider_calls_total{kind="postgres-role",verb="probe",outcome="throttled"}')).toBe(3);
  expect(valueOf("rekey_workers")).toBe(0);
  expect(text).not.toMatch(/crd_|tm_|env_|rot_|tok_/);
});

test("they are plain text at /metrics, for the bearers of a token that may read them", async () => {
  const api = await withApi(await withLedger());
  const scrape = async (token?: string) => {
    const headers = { host: "127.0.0.1:7390", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const { statusCode, body } = await api.app.inject({ method: "GET", url: "/metrics", headers });
    return { statusCode, body };
  };
  expect(await scrape()).toMatchObject({ statusCode: 401 });
  const { token } = await api.as("metrics");
  expect(await scrape(token)).toEqual({ statusCode: 200, body: expect.stringMatching(/^# HELP rekey_credentials /) });
  await api.app.close();
});
