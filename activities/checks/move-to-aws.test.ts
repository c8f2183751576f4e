import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeEach, describe, expect, it } from "vitest";
import type { Custody } from "../../custody/custody.ts";
import { createScrubber } from "../../custody/scrubber.ts";
import { fakePlace, region } from "../../test/custody/aws-place.ts";
import { withApi, type TestApi } from "../../test/harness/api.ts";
import { applyText } from "../../test/harness/apply-text.ts";
import type { FakeAws } from "../../test/harness/aws/fake-aws.ts";
import { policyIn } from "../../test/harness/aws-settings.ts";
import type { SecretContent } from "../../test/harness/aws/secret-versions.ts";
import { withLedger } from "../../test/harness/ledger.ts";
import { connectionIndex, everything } from "../../test/harness/manifests.ts";
import { runCheck } from "../run-check.ts";
import type { StepDeps } from "../step-deps.ts";

const page = new URL("../../docs/aws.md", import.meta.url);

/** What whoever may read the secret reads there. */
function textOf(content: SecretContent | undefined): string {
  if (content === undefined || !("SecretString" in content)) return "";
  const { value = "" } = JSON.parse(content.SecretString) as { readonly value?: string };
  return Buffer.from(value, "base64").toString();
}

describe("moving a credential's values to Secrets Manager", () => {
  let api: TestApi;
  let aws: FakeAws;
  let password: string;

  const db = () => api.deps.ledger.db;
  const newSecret = () => randomBytes(12).toString("hex");

  beforeEach(async () => {
    let custody: Custody;
    ({ aws, custody } = await fakePlace());
    api = await withApi(await withLedger(), undefined, { stores: { "main-aws": custody } });
    await applyText(api, everything, { [connectionIndex]: newSecret() });
    password = newSecret();
    await api.ask("POST", "/credentials/shop%2Forders/adopt", { secret: password, fields: { username: "orders_a" } });
    // As a worker does that finds it accepted.
    await sql`UPDATE credentials SET current_version = 1`.execute(db());
    await sql`UPDATE versions SET state = 'live', handle = 'orders_a'`.execute(db());
    await sql`UPDATE checks SET state = 'done', finished_at = clock_timestamp()`.execute(db());
  });

  /** Asked for, and taken up by a worker. */
  async function move(custody: string): Promise<Record<string, unknown>> {
    const { json } = await api.ask("POST", "/credentials/shop%2Forders/move", { custody });
    const { ledger } = api.deps;
    const deps = { ledger, custody: api.custody, scrubber: createScrubber(), log: () => undefined };
    await runCheck(deps as unknown as StepDeps, json["checkId"] as string, new AbortController().signal);
    return (await api.ask("GET", `/checks/${json["checkId"] as string}`)).json;
  }

  async function place() {
    const { rows } = await sql<{ id: string; custody: string; sealed: number }>`
      SELECT c.id, c.custody, (SELECT count(*)::int FROM custody_values v WHERE v.key LIKE c.id || '/%') AS sealed
      FROM credentials c`.execute(db());
    const [row] = rows;
    if (row === undefined) throw new Error("no credential");
    const secret = aws.versionOf(region, `rekey/${api.deps.instance}/${row.id}/1/version`);
    return { custody: row.custody, sealed: row.sealed, inAws: textOf(secret?.content).includes(password) };
  }

  const there = { custody: "main-aws", sealed: 0, inAws: true };
  const here = { custody: "embedded", sealed: 1, inAws: false };

  it("leaves them there alone, and brings them back", async () => {
    expect(await place()).toEqual(here);
    expect(await move("main-aws")).toMatchObject({ state: "done", result: { from: "embedded", to: "main-aws" } });
    expect(await place()).toEqual(there);
    expect(await move("embedded")).toMatchObject({ state: "done" });
    expect(await place()).toEqual(here);
  });

  it("without the right to make a secret says which is missing, leaves every value here, and goes on once it is given", async () => {
    aws.setPolicies("rekey", []);
    expect(await move("main-aws")).toMatchObject({
      state: "failed",
      findings: [{ code: "right_missing", detail: expect.stringContaining("secretsmanager:") }],
    });
    expect(await place()).toEqual(here);
    aws.setPolicies("rekey", [await policyIn(page, "## Custody", aws.identities.account)]);
    expect(await move("main-aws")).toMatchObject({ state: "done" });
    expect(await place()).toEqual(there);
  });

  it("of which an answer is lost is in one place at the end, and readable from it", async () => {
    let lost = 0;
    aws.interfere = ({ action }) => (action === "CreateSecret" && lost++ === 0 ? { loseAnswer: true } : undefined);
    const first = await move("main-aws");
    if (first["state"] !== "done") {
      expect(first).toMatchObject({ state: "failed", findings: [{ code: "custody_unreachable" }] });
      expect(await place()).toMatchObject({ custody: "embedded", sealed: 1 });
      expect(await move("main-aws")).toMatchObject({ state: "done" });
    }
    expect(lost).toBeGreaterThan(0);
    expect(await place()).toEqual(there);
  });
});
