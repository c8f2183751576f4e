import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Policy } from "../../domain/policy.ts";
import { catalog } from "../../providers/catalog.ts";
import { accessKeyIssuer } from "../../providers/issuers/aws-iam-access-key/definition.ts";
import { awsIssuer } from "../faults/aws-issuer.ts";
import { awsClients, type AwsKeys } from "../harness/aws/clients.ts";
import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle } from "../harness/aws/settings.ts";
import { registerCredential, type RegisteredCredential } from "../harness/register-credential.ts";
import { openSteps, type Steps } from "../harness/steps.ts";
import { newMark, readRotation } from "../harness/world.ts";

const grainMs = 15 * 60_000;
const policy: Partial<Policy> = { holdAfterMs: 300 };

describe("a last use that the issuer tells", () => {
  let aws: FakeAws;
  let steps: Steps;
  let orders: RegisteredCredential & { readonly user: string; readonly old: AwsKeys };

  beforeAll(async () => {
    aws = await FakeAws.start({ ...gentle, lastUsedGrainMs: 0 });
    const quick = { activationMs: 0, deactivationMs: 0, listMs: 0, lastUsedMs: 0, lastUsedGrainMs: grainMs };
    const issuer = accessKeyIssuer(quick);
    Object.assign(catalog.issuers, { [issuer.kind]: issuer });
    steps = await openSteps({ REKEY_EGRESS_LOCAL_PORTS: new URL(aws.url).port });
  });

  afterAll(async () => {
    await steps?.close();
    aws?.close();
  });

  beforeEach(async () => {
    const mark = newMark();
    const principal = await (await awsIssuer(aws))(mark);
    const path = join(steps.folder, "targets", `${mark}.env`);
    await writeFile(
      path,
      Object.entries(principal.held)
        .map(([name, text]) => `${name}=${text}\n`)
        .join(""),
      {
        mode: 0o600,
      },
    );
    const config = { path, format: "dotenv", keys: principal.keys };
    const consumer = { name: "app", kind: "file", target: `file:${path}`, config };
    const evidence = { wanted: "delivered", collectors: {} };
    const given = { ...principal, mark, order: "overlap", policy, consumer: { ...consumer, evidence } } as const;
    const stored = await steps.checking(async () => registerCredential(steps, given));
    const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = principal.held;
    orders = { ...stored, user: `orders-${mark}`, old: { accessKeyId, secretAccessKey } };
  });

  /** By an application that nobody moved. */
  async function useOld(): Promise<void> {
    const { sts, close } = awsClients(aws, orders.old, { region: "eu-north-1" });
    await sts.send(new GetCallerIdentityCommand({}));
    close();
  }

  /** As if it had been so long ago, told at once. */
  function usedAgo(ms: number): void {
    const nowMs = Date.now();
    const use = { atMs: nowMs - ms, service: "s3", region: "eu-west-1" };
    aws.identities.key(orders.old.accessKeyId)?.lastUse.record(use, nowMs, [0, 0, 0]);
  }

  /** The rotation is promoted, and everybody moved so long ago. */
  async function movedAgo(ms: number): Promise<string> {
    const rotationId = await orders.rotate();
    await steps.reach(rotationId, "promoted");
    await sql`UPDATE evidence SET at = at - ${ms} * interval '1 millisecond' WHERE rotation_id = ${rotationId}`.execute(
      steps.ledger.db,
    );
    return rotationId;
  }

  const activeKeys = () =>
    aws
      .keysOf(orders.user)
      .filter(({ status }) => status === "Active")
      .map(({ id }) => id);

  it("invariant 4: after everybody has moved holds the rotation, names when and where, and the old key stays", async () => {
    const rotationId = await movedAgo(3 * grainMs);
    await useOld();
    await steps.carry(rotationId);
    const { hold } = await readRotation(steps, rotationId);
    expect(hold).toMatchObject({ code: "still_in_use", gaps: [{ key: "still_in_use:last-use" }] });
    expect(hold?.detail).toMatch(
      /^The old version was last used at \S+Z by service sts in region eu-north-1, after every/,
    );
    expect(activeKeys()).toContain(orders.old.accessKeyId);
  });

  it("is asked about once: whoever was moved before the answer retry is not named again", async () => {
    const rotationId = await movedAgo(3 * grainMs);
    usedAgo(2 * grainMs - 60_000);
    await steps.carry(rotationId);
    await steps.answer(rotationId, "retry");
    await steps.carry(rotationId);
    expect(await readRotation(steps, rotationId)).toMatchObject({ outcome: "proven" });
  });

  it("that somebody answers for ends the old key, and the record says what was accepted", async () => {
    const rotationId = await movedAgo(3 * grainMs);
    await useOld();
    await steps.carry(rotationId);
    await steps.answer(rotationId, "accept");
    await steps.carry(rotationId);
    expect(await readRotation(steps, rotationId)).toMatchObject({ outcome: "proven" });
    expect(activeKeys()).not.toContain(orders.old.accessKeyId);
  });

  it.each([
    ["before everybody had moved", 3 * grainMs, 4 * grainMs],
    ["after it by less than the grain", 3 * grainMs, 3 * grainMs - 60_000],
  ])("%s holds nothing, and is kept for people", async (_when, movedMs, usedMs) => {
    const rotationId = await movedAgo(movedMs);
    usedAgo(usedMs);
    await steps.carry(rotationId);
    expect(await readRotation(steps, rotationId)).toMatchObject({ outcome: "proven", hold: null });
    const { rows } = await sql`
      SELECT last_use ->> 'by' AS by FROM versions WHERE credential_id = ${orders.credentialId} AND number = 1`.execute(
      steps.ledger.db,
    );
    expect(rows).toEqual([{ by: "service s3 in region eu-west-1" }]);
  });
});
