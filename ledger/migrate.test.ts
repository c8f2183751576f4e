import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withDatabase } from "../test/harness/ledger.ts";
import { assertSchemaCurrent, migrate, schemaState } from "./migrate.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-mig-"));
  await cp(fileURLToPath(new URL("migrations/0001-base.sql", import.meta.url)), join(folder, "0001-base.sql"));
});
afterEach(() => rm(folder, { recursive: true }));

it("applies the product's own migrations once", async () => {
  const url = await withDatabase();
  expect(await migrate(url)).toContain("0001-base.sql");
  expect(await migrate(url)).toEqual([]);
  expect(await schemaState(url)).toEqual({ state: "current" });
  await assertSchemaCurrent(url);
});

it("applies each migration once when several run at the same time", async () => {
  const url = await withDatabase();
  await writeFile(join(folder, "0002-more.sql"), "CREATE TABLE more (a int); SELECT pg_sleep(0.1);");
  const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(url, folder)));
  expect(applied.flat().toSorted()).toEqual(["0001-base.sql", "0002-more.sql"]);
});

it("says what is pending, and refuses to serve meanwhile", async () => {
  const url = await withDatabase();
  expect(await schemaState(url, folder)).toEqual({ state: "older", pending: ["0001-base.sql"] });
  await expect(assertSchemaCurrent(url, folder)).rejects.toMatchObject({
    code: "ledger_schema",
    detail: expect.stringContaining("rekey migrate"),
  });
});

it("refuses a ledger that is newer than the program", async () => {
  const url = await withDatabase();
  await writeFile(join(folder, "0002-more.sql"), "CREATE TABLE more (a int)");
  await migrate(url, folder);
  await rm(join(folder, "0002-more.sql"));
  await expect(migrate(url, folder)).rejects.toMatchObject({
    name: "OperatorNeededError",
    code: "ledger_schema",
    detail: expect.stringContaining("0002-more.sql"),
  });
});

it("refuses when an applied file was edited", async () => {
  const url = await withDatabase();
  await migrate(url, folder);
  await writeFile(join(folder, "0001-base.sql"), "SELECT 1");
  expect(await schemaState(url, folder)).toEqual({ state: "changed", names: ["0001-base.sql"] });
  await expect(migrate(url, folder)).rejects.toMatchObject({ name: "PermanentError", code: "ledger_schema" });
});

it("undoes a migration that fails half way, and can go on once it is mended", async () => {
  const url = await withDatabase();
  await writeFile(join(folder, "0002-more.sql"), "CREATE TABLE more (a int); SELECT 1/0;");
  await expect(migrate(url, folder)).rejects.toMatchObject({
    code: "ledger_schema",
    detail: expect.stringContaining("22012"),
  });
  expect(await schemaState(url, folder)).toEqual({ state: "older", pending: ["0002-more.sql"] });
  await writeFile(join(folder, "0002-more.sql"), "CREATE TABLE more (a int)");
  expect(await migrate(url, folder)).toEqual(["0002-more.sql"]);
});

it("says that the ledger cannot be reached", async () => {
  await expect(migrate("postgres://nobody@127.0.0.1:1/none", folder)).rejects.toMatchObject({
    code: "ledger_unreachable",
  });
});
