import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConsumer } from "../../ledger/registry.ts";
import type { Registered } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

const example = new URL("../../examples/exec-consumer/serve.mjs", import.meta.url).href;
/** The example program, which does not take the login that is named in the file `refused`. */
const program = `
  import { existsSync, readFileSync } from "node:fs";
  import { text } from "node:stream/consumers";
  import { serve } from ${JSON.stringify(example)};
  const request = JSON.parse(await text(process.stdin));
  const folder = process.argv[1];
  const refused = existsSync(folder + "/refused") ? readFileSync(folder + "/refused", "utf8") : "";
  const isRefused = request.action === "deliver" && request.value.username === refused;
  const answer = isRefused ? { error: "value_unfit" } : serve(request, folder);
  process.stdout.write(JSON.stringify({ protocol: 1, id: request.id, ...answer }));
`;

describe("a credential that a file and a program of one's own bring to its consumers", () => {
  let folder: string;
  let bench: StepBench;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rk-own-program-"));
    const settings = join(folder, "programs");
    const argv = [process.execPath, "--input-type=module", "-e", program, folder];
    await writeFile(settings, JSON.stringify({ store: { argv, timeoutMs: 60_000 } }));
    bench = await openStepBench({ REKEY_EXEC_CONSUMERS_FILE: settings });
  });
  afterAll(async () => {
    await bench?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const inFile = async ({ file }: Registered) => {
    const text = await readFile(file, "utf8");
    const of = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(text)?.[1];
    return { username: of("DB_USER"), password: of("DB_PASSWORD") };
  };
  const inStore = async (target: string) =>
    JSON.parse(await readFile(join(folder, `${target}.json`), "utf8")) as Record<string, string>;

  /** A second consumer, which has what the application has today. */
  async function alsoByProgram(orders: Registered, target: string): Promise<void> {
    const { rows } = await sql<{ team_id: string }>`
      SELECT team_id FROM credentials WHERE id = ${orders.credentialId}`.execute(bench.ledger.db);
    await writeFile(join(folder, `${target}.json`), JSON.stringify(await inFile(orders)));
    await transact(bench.ledger, async (trx) =>
      storeConsumer(
        trx,
        {
          id: newId("consumer"),
          credentialId: orders.credentialId,
          teamId: rows[0]?.team_id ?? "",
          name: "warehouse",
          kind: "exec",
          target: `exec:store:${target}`,
          config: { program: "store", target, fields: ["username", "password"], reload: true },
          evidence: { wanted: "delivered", collectors: {} },
        },
        { actor: "tok_test", isNew: true, changes: [] },
      ),
    );
  }

  it("is rotated at both, and each reads the same new login", async () => {
    const orders = await bench.register();
    await alsoByProgram(orders, "both");
    const before = await inFile(orders);
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { outcome, hold } = await readRotation(bench, rotationId);
    expect({ outcome, hold }).toEqual({ outcome: "proven", hold: null });
    expect(await inStore("both")).toEqual(await inFile(orders));
    expect((await inFile(orders)).username).not.toBe(before.username);
    expect(await readFile(join(folder, "both.json.reloads"), "utf8")).toBe("reload\n");
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("is undone at both when the program cannot take the new value", async () => {
    const orders = await bench.register();
    await alsoByProgram(orders, "undone");
    await writeFile(join(folder, "refused"), orders.logins[1] ?? "");
    const before = await inFile(orders);
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { outcome, hold } = await readRotation(bench, rotationId);
    expect({ outcome, hold }).toEqual({ outcome: "undone", hold: null });
    expect(await inFile(orders)).toEqual(before);
    expect(await inStore("undone")).toEqual(before);
    const { held, failures } = await orders.shop.close();
    expect(new Set(held.map(({ user }) => user)).size).toBe(2);
    expect(failures).toEqual([]);
  });
});
