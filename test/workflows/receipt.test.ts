import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formerOf, refOf } from "../../activities/reach.ts";
import { openSigningKeys } from "../../custody/signing-key-file.ts";
import { createSealer, type Sealer } from "../../ledger/sealer.ts";
import { signedReceipt, type SignedReceipt } from "../../receipt/shape.ts";
import type { Registered } from "../harness/registered.ts";
import { withApi, type TestApi } from "../harness/api.ts";
import { newFolder, rekey, withCli, type CliPlace } from "../harness/cli.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

let bench: StepBench;
let api: TestApi;
let cli: CliPlace;
let sealer: Sealer;
/** Where nothing of rekey is but the program, the pinned key and the file. */
let away: string;
let keyFile: string;

beforeAll(async () => {
  bench = await openStepBench();
  api = await withApi(bench);
  const { publicKeys } = await openSigningKeys(join(bench.folder, "keys", "audit.json"), { create: false });
  Object.assign(api.deps, { auditKeys: publicKeys });
  cli = await withCli(api);
  sealer = createSealer({ ledger: bench.ledger, signingKey: bench.deps.signingKey, everyMs: 20, headEveryMs: 0 });
  away = await newFolder();
  keyFile = await cli.file("audit-key.pem", (await cli.run(["audit", "key"])).out);
  sealer.start();
});

afterAll(async () => {
  await sealer?.stop();
  await api?.app.close();
  await bench?.close();
});

const receiptOf = async (rotation: string, ...options: readonly string[]) =>
  bench.checking(async () => cli.run(["rotation", "receipt", rotation, ...options]));

async function documentOf(rotation: string): Promise<SignedReceipt> {
  const { code, out, err } = await receiptOf(rotation);
  expect(err).toBe("");
  expect(code).toBe(0);
  return signedReceipt.parse(JSON.parse(out));
}

/** Nothing leads to an API, a token or a home. */
const verifyAway = async (file: string, key = keyFile) =>
  rekey(["receipt", "verify", "--key", key, file], {
    env: { REKEY_ADDRESS: "http://127.0.0.1:1", REKEY_HOME: away, REKEY_TOKEN_FILE: join(away, "none") },
  });

async function proven(): Promise<{ readonly orders: Registered; readonly rotation: string }> {
  const orders = await bench.register();
  const rotation = await orders.rotate();
  await bench.carry(rotation);
  expect(await readRotation(bench, rotation)).toMatchObject({ outcome: "proven" });
  return { orders, rotation };
}

describe("the receipt of a proven rotation", () => {
  let orders: Registered;
  let rotation: string;
  let document: SignedReceipt;

  beforeAll(async () => {
    ({ orders, rotation } = await proven());
    await orders.shop.close();
    document = await documentOf(rotation);
  });

  it("says who, what, when and on what the death rests", () => {
    const { receipt } = document;
    const [first = "", second = ""] = orders.logins;
    expect(receipt).toMatchObject({
      instance: api.deps.instance,
      issuer: { kind: "postgres-role", identity: expect.stringMatching(/^postgresql:\d+$/) },
      rotation: {
        id: rotation,
        order: "overlap",
        outcome: "proven",
        from: { number: 1, handle: `${first}/1` },
        to: { number: 2, handle: `${second}/2` },
      },
      consumers: [
        {
          name: expect.stringMatching(/\/shop$/),
          target: `file:${orders.file}`,
          deliveries: [{ version: 2 }],
          evidence: [{ version: 2, source: "sessions", strength: "observed", complete: true, instances: 1, lacks: [] }],
        },
      ],
      holds: [],
      deaths: [{ version: 1, code: "28P01", controls: expect.stringContaining("catalogue: ended"), inRow: 2 }],
    });
    expect(receipt.phases.map(({ phase }) => phase).join(" ")).toBe(
      "reserved issued delivered adopted promoted drained disabled revoking revoked proven closed",
    );
    expect(receipt.effects.map(({ step }) => step)).toEqual(["issue", "disable", "revoke"]);
    expect(receipt.verdicts).toMatchObject([
      { purpose: "drain", clear: true },
      { purpose: "revoke", clear: true, standing: [], accepted: [] },
    ]);
  });

  it("names every audit row with the seal that the chain has of it, and a head that the chain's checker takes", async () => {
    const { rows } = await sql<{ id: number; position: number; hash: string; previous: Buffer }>`
      SELECT a.id, s.position, encode(s.hash, 'hex') AS hash FROM audit a JOIN audit_seals s ON s.audit_id = a.id
      WHERE a.rotation_id = ${rotation} ORDER BY s.position`.execute(bench.ledger.db);
    expect(document.receipt.audit.rows.map(({ id, position, hash }) => ({ id, position, hash }))).toEqual(rows);
    expect(rows.length).toBeGreaterThan(20);
    const { head } = document.receipt.audit;
    expect(head?.position).toBeGreaterThanOrEqual(rows.at(-1)?.position ?? 0);
    const anchor = await cli.file("anchor.json", JSON.stringify(head));
    expect((await cli.run(["audit", "verify", "--anchor", anchor])).code).toBe(0);
  });

  it("is checked on a machine that has nothing but program, key and file, as JSON and as page", async () => {
    for (const format of ["json", "html"]) {
      const file = join(cli.folder, `receipt.${format}`);
      expect(await receiptOf(rotation, "--format", format, "--out", file)).toMatchObject({ code: 0, err: "" });
      const { code, out } = await verifyAway(file);
      expect([format, code]).toEqual([format, 0]);
      expect(out).toContain(`GENUINE: signed by key ${bench.deps.signingKey.id}`);
      expect(out).toContain("PROVEN DEAD");
      expect(out).toContain("version 1: the issuer answered 28P01, 2 times in a row");
    }
  });

  it("names the byte that was changed in the page, in what it shows and in what it holds", async () => {
    const file = join(cli.folder, "receipt.html");
    const page = await readFile(file, "utf8");
    const shown = await cli.file("shown.html", page.replace(">28P01<", ">28P02<"));
    expect(await verifyAway(shown)).toMatchObject({
      code: 1,
      out: expect.stringMatching(
        /\/receipt\/deaths\/0\/code \(line \d+, column \d+\): The page shows "28P02"; "28P01" was\s+signed/,
      ),
    });
    const held = await cli.file("held.html", page.replace('"code": "28P01"', '"code": "28P02"'));
    expect(await verifyAway(held)).toMatchObject({
      code: 1,
      out: expect.stringMatching(
        /\/receipt\/deaths\/0\/code \(line \d+, column \d+\): It says "28P02"; "28P01" was signed/,
      ),
    });
  });

  it("invariant 6: holds no secret, in no form", async () => {
    const given = [orders.password, orders.adminPassword, ...orders.shop.report().held.map(({ password }) => password)];
    expect(given.length).toBeGreaterThan(3);
    const { privateKey } = bench.deps.signingKey;
    const key = privateKey.export({ format: "der", type: "pkcs8" });
    const secrets = [...given, key.toString("base64"), api.token];
    const { rows } = await sql<{ fingerprint: string }>`
      SELECT fingerprint FROM versions WHERE fingerprint IS NOT NULL`.execute(bench.ledger.db);
    const texts = await Promise.all(
      ["json", "html", "text"].map(async (form) => (await receiptOf(rotation, "--format", form)).out),
    );
    for (const secret of [...secrets, ...rows.map(({ fingerprint }) => fingerprint)])
      for (const form of [secret, Buffer.from(secret).toString("base64"), Buffer.from(secret).toString("hex")])
        for (const text of texts) expect(text).not.toContain(form);
  });
});

describe("the receipt of a rotation that proved nothing", () => {
  it("invariant 5: is headed NOT PROVEN DEAD, and names who let it end so", async () => {
    const orders = await bench.register({ policy: { holdAfterMs: 600, attempts: 2 } });
    const rotation = await orders.rotate();
    await bench.reach(rotation, "revoked");
    const one = await bench.read(rotation);
    await bench.custody.forget(refOf(one, formerOf(one)));
    await bench.carry(rotation);
    await bench.answer(rotation, "accept");
    await bench.carry(rotation);
    await orders.shop.close();
    const { receipt } = await documentOf(rotation);
    expect(receipt).toMatchObject({
      rotation: { outcome: "closed-unproven" },
      deaths: [],
      holds: [{ code: "custody_missing", decision: "accept", decidedBy: "tok_operator", reason: "test" }],
    });
    const { out } = await receiptOf(rotation, "--format", "text");
    expect(out).toMatch(/^NOT PROVEN DEAD: /);
    expect(out).toContain("without proof that version 1");
  });

  it("is headed UNDONE, and says what became of the candidate", async () => {
    const orders = await bench.register({ policy: { holdAfterMs: 400 } });
    orders.shop.isStubborn = true;
    const rotation = await orders.rotate();
    await bench.carry(rotation);
    await bench.answer(rotation, "roll-back");
    await bench.carry(rotation);
    await orders.shop.close();
    const { receipt } = await documentOf(rotation);
    expect(receipt).toMatchObject({ rotation: { outcome: "undone", direction: "undo" }, deaths: [{ version: 2 }] });
    expect(receipt.consumers[0]?.deliveries.map(({ version }) => version)).toEqual([2, 1]);
    const { out } = await receiptOf(rotation, "--format", "text");
    expect(out).toMatch(/^UNDONE: /);
    expect(out).toContain("Version 2, which was to replace it, was seen refused by the issuer.");
  });
});

describe("no receipt is signed", () => {
  it("of a rotation that is open, which is said with what to do", async () => {
    const orders = await bench.register();
    const rotation = await orders.rotate();
    const { code, err } = await receiptOf(rotation);
    expect([code, err]).toEqual([1, expect.stringContaining(`rekey rotation watch ${rotation}`)]);
    await bench.carry(rotation);
    await orders.shop.close();
  });

  it("invariant 15: over a row of the trail that is not what was sealed", async () => {
    const { orders, rotation } = await proven();
    await orders.shop.close();
    await documentOf(rotation);
    await asOwner(sql`UPDATE audit SET actor = 'system:nobody' WHERE id = (
      SELECT max(id) FROM audit WHERE rotation_id = ${rotation})`);
    const { code, out, err } = await receiptOf(rotation);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/Row \d+ is not what was sealed. Nothing was signed/);
  });

  it("with an outcome that the sealed trail does not have", async () => {
    const { orders, rotation } = await proven();
    await orders.shop.close();
    await sql`UPDATE rotations SET outcome = 'undone' WHERE id = ${rotation}`.execute(bench.ledger.db);
    expect((await receiptOf(rotation)).err).toContain("The trail does not say that it was closed with the outcome");
  });
});

/** As somebody does who owns the tables. */
async function asOwner(statement: ReturnType<typeof sql>): Promise<void> {
  await bench.ledger.db.transaction().execute(async (trx) => {
    await sql`ALTER TABLE audit DISABLE TRIGGER append_only`.execute(trx);
    await statement.execute(trx);
    await sql`ALTER TABLE audit ENABLE TRIGGER append_only`.execute(trx);
  });
}
