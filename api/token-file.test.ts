import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { listTokens, revokeToken } from "../ledger/tokens.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { ensureTokenFile, recoverToken } from "./token-file.ts";

let ledger: TestLedger["ledger"];
let folder: string;

beforeAll(async () => {
  ({ ledger } = await withLedger());
  folder = await mkdtemp(join(tmpdir(), "rekey-token-file-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const valid = () => listTokens(ledger, { onlyValid: true, limit: 100 });
beforeEach(async () => {
  for (const { id } of await valid()) await revokeToken(ledger, { id, actor: "system:test" });
});

describe("the first admin's token", () => {
  it("is made by one of several processes that start on a new ledger at once", async () => {
    const files = ["a", "b", "c", "d"].map((name) => join(folder, name));
    const made = await Promise.all(files.map((file) => ensureTokenFile(ledger, file, "first")));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await valid()).toHaveLength(1);
    const kept = made.findIndex(Boolean);
    expect(await ensureTokenFile(ledger, files[kept] ?? "", "first")).toBe(true);
    expect(await valid()).toHaveLength(1);
  });

  it("is made again once no admin has a valid one: another role's does not count, a recovered one does", async () => {
    const file = join(folder, "again");
    expect(await ensureTokenFile(ledger, file, "first")).toBe(true);
    const before = await readFile(file, "utf8");
    const { id } = await recoverToken(ledger);
    for (const one of await valid()) if (one.id !== id) await revokeToken(ledger, { id: one.id, actor: "system:test" });
    expect(await ensureTokenFile(ledger, file, "first")).toBe(false);
    expect(await readFile(file, "utf8")).toBe(before);
    await revokeToken(ledger, { id, actor: "system:test" });
    expect(await ensureTokenFile(ledger, file, "first")).toBe(true);
    expect(await readFile(file, "utf8")).not.toBe(before);
  });

  it("is made for whoever runs everything on one machine, though other admins have theirs", async () => {
    await recoverToken(ledger);
    const file = join(folder, "own");
    expect(await ensureTokenFile(ledger, file, "first")).toBe(false);
    expect(await ensureTokenFile(ledger, file, "always")).toBe(true);
    expect(await readFile(file, "utf8")).toMatch(/^rk_/);
    expect(await valid()).toHaveLength(2);
  });

  it("does not stay in the ledger when its file cannot be written, which would keep the next start from making one", async () => {
    const nowhere = join(folder, "none", "token");
    await expect(ensureTokenFile(ledger, nowhere, "first")).rejects.toMatchObject({ code: "setting_invalid" });
    expect(await valid()).toEqual([]);
    expect(await ensureTokenFile(ledger, join(folder, "later"), "first")).toBe(true);
  });
});
