import { chmod } from "node:fs/promises";
import { dirname } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TransientError } from "../../domain/errors.ts";
import type { Look } from "../../domain/look.ts";
import { readCheck, requestCheck } from "../../ledger/checks.ts";
import { editConsumer, fileAt } from "../../test/harness/edit-consumer.ts";
import type { Registered } from "../../test/harness/registered.ts";
import { openStepBench, type StepBench } from "../../test/harness/step-bench.ts";
import type { StepDeps } from "../step-deps.ts";
import { runCheck } from "../run-check.ts";

let bench: StepBench;
let one: Registered;
beforeAll(async () => {
  bench = await openStepBench();
  one = await bench.register();
});
afterAll(() => bench.close());

interface Result {
  readonly looks: readonly Look[];
  readonly release: string;
  readonly temporal: string;
}

async function look(lookMs = 10_000, deps: StepDeps = bench.deps): Promise<Result> {
  const id = await requestCheck(bench.ledger.db, { kind: "doctor", arguments: { lookMs }, requestedBy: "tok_test" });
  await runCheck(deps, id, new AbortController().signal);
  const check = await readCheck(bench.ledger.db, "everything", id);
  expect(check).toMatchObject({ state: "done", findings: [] });
  return check?.result as Result;
}

const of = (looks: readonly Look[], noun: string) => looks.filter(({ about }) => about.startsWith(noun));
const adminOf = async () => {
  const { rows } = await sql<{ name: string }>`SELECT admin_principal AS name FROM connections`.execute(
    bench.ledger.db,
  );
  return rows[0]?.name ?? "";
};

describe("a worker that looks around", () => {
  it("finds each place well, and says what it is itself", async () => {
    const { looks, release, temporal } = await look();
    expect(looks.map(({ about, state }) => [about.split(" ")[0], state])).toEqual([
      ["Connection", "ok"],
      ["Credential", "ok"],
      ["Consumer", "ok"],
    ]);
    expect(of(looks, "Connection")[0]?.text).toMatch(/^PostgreSQL 1\d\.\d+, without TLS; its login may do what/);
    expect([release, temporal]).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+/), "none"]);
  });

  it("asks each place of custody, and says what it answers", async () => {
    const { custody } = bench.deps;
    const sealed = new TransientError("system_sealed", "Unseal it (vault operator unseal).");
    const elsewhere = (get: () => Promise<undefined>): StepDeps => ({
      ...bench.deps,
      custody: { ...custody, places: [...custody.places, "main-vault"], at: () => ({ ...custody, get }) },
    });
    const well = await look(
      10_000,
      elsewhere(() => Promise.resolve(undefined)),
    );
    expect(of(well.looks, "Custody place main-vault")).toMatchObject([{ state: "ok" }]);
    const ill = await look(
      10_000,
      elsewhere(() => Promise.reject(sealed)),
    );
    expect(of(ill.looks, "Custody place main-vault")).toMatchObject([
      { state: "bad", text: expect.stringContaining("Unseal it (vault operator unseal).") },
    ]);
  });

  it("names a right too many, and a missing one at the connection and at the credential", async () => {
    const admin = await adminOf();
    await bench.issuer.ask(`ALTER ROLE "${admin}" CREATEDB NOCREATEROLE`);
    const { looks } = await look();
    expect(of(looks, "Connection")).toMatchObject([
      { state: "bad", mend: `ALTER ROLE "${admin}" CREATEROLE;` },
      { state: "warn", mend: `ALTER ROLE "${admin}" NOCREATEDB;` },
    ]);
    expect(of(looks, "Credential")).toMatchObject([{ state: "bad", mend: `ALTER ROLE "${admin}" CREATEROLE;` }]);
    await bench.issuer.ask(`ALTER ROLE "${admin}" NOCREATEDB CREATEROLE`);
  });

  it("names a target that it may not write, and a server that is another one than before", async () => {
    const folder = dirname(one.file);
    await chmod(folder, 0o777);
    await sql`UPDATE connections SET identity = 'postgresql:1'`.execute(bench.ledger.db);
    const { looks } = await look();
    expect(of(looks, "Consumer")).toMatchObject([{ state: "bad" }]);
    expect(of(looks, "Connection")[0]).toMatchObject({ state: "bad", text: expect.stringContaining("another server") });
    await chmod(folder, 0o700);
    await sql`UPDATE connections SET identity = NULL`.execute(bench.ledger.db);
  });

  it("warns of a target that is not there and that no rotation has written, where a misspelt path leads", async () => {
    const misspelt = `${one.file}.misspelt`;
    await editConsumer(bench, one, fileAt(misspelt));
    expect(of((await look()).looks, "Consumer")).toMatchObject([
      {
        state: "warn",
        text: expect.stringContaining(`file:${misspelt} does not exist yet, or holds none of its keys.`),
      },
    ]);
    await editConsumer(bench, one, fileAt(one.file));
    expect(of((await look()).looks, "Consumer")).toMatchObject([{ state: "ok" }]);
  });

  it("leaves a connection without its secret, and a credential with an open rotation, to be named and left alone", async () => {
    const rotation = await one.rotate();
    expect(of((await look()).looks, "Credential")).toEqual([]);
    await bench.carry(rotation);
    await sql`UPDATE connections SET secret_row = NULL`.execute(bench.ledger.db);
    const { looks } = await look();
    expect(of(looks, "Connection")).toMatchObject([
      { state: "bad", text: expect.stringContaining("It has no secret") },
    ]);
    expect(of(looks, "Credential")).toEqual([]);
  });
});

it("a server that is down is bad by its own words, and one that never answers by its silence, in bounded time", async () => {
  await bench.register();
  await bench.issuer.halt();
  const { looks } = await look(2_000);
  expect(of(looks, "Connection")).toContainEqual(
    expect.objectContaining({ state: "bad", text: expect.stringMatching(/did not let us in|No answer/) }),
  );
  expect(of(looks, "Consumer").map(({ state }) => state)).toEqual(["ok", "ok"]);
  await bench.issuer.resume();
});
