import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConsumer, type StoredConsumer } from "../../ledger/registry.ts";
import type { Registered, RegisteredAt } from "./registered.ts";

const by = { actor: "tok_test", isNew: true, changes: [] };

/** The login that a place holds for an application. */
export interface HeldLogin {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

export async function inFile({ file }: Pick<Registered, "file">): Promise<HeldLogin> {
  const text = await readFile(file, "utf8");
  const of = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(text)?.[1];
  return { username: of("DB_USER"), password: of("DB_PASSWORD") };
}

export async function teamOf({ ledger }: Pick<RegisteredAt, "ledger">, { credentialId }: Registered) {
  const { rows } = await sql<{ readonly id: string; readonly environmentId: string; readonly name: string }>`
    SELECT t.id, c.environment_id AS "environmentId", t.name
    FROM credentials c JOIN teams t ON t.id = c.team_id WHERE c.id = ${credentialId}`.execute(ledger.db);
  const [team] = rows;
  if (team === undefined) throw new Error("The credential has no team.");
  return team;
}

/** One consumer more of the same credential. */
export async function alsoConsumer(
  at: Pick<RegisteredAt, "ledger">,
  orders: Registered,
  consumer: Omit<StoredConsumer, "id" | "credentialId" | "teamId">,
): Promise<void> {
  const { id: teamId } = await teamOf(at, orders);
  const { credentialId } = orders;
  const stored = { ...consumer, id: newId("consumer"), credentialId, teamId };
  await transact(at.ledger, async (trx) => storeConsumer(trx, stored, by));
}

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

/** A folder that a program of one's own keeps targets in. */
export interface ProgramStore {
  /** For REKEY_EXEC_CONSUMERS_FILE. */
  readonly settings: string;
  held(target: string): Promise<HeldLogin>;
  /** From now on the program does not take this login. */
  refuse(login: string): Promise<void>;
  /** Registers a target of it as a consumer more, which has what the application has today. */
  also(at: Pick<RegisteredAt, "ledger">, orders: Registered, target: string): Promise<void>;
}

export async function programStore(folder: string): Promise<ProgramStore> {
  const settings = join(folder, "programs");
  const argv = [process.execPath, "--input-type=module", "-e", program, folder];
  await writeFile(settings, JSON.stringify({ store: { argv, timeoutMs: 60_000 } }));
  const place = (target: string) => join(folder, `${target}.json`);
  return {
    settings,
    held: async (target) => JSON.parse(await readFile(place(target), "utf8")) as HeldLogin,
    refuse: async (login) => writeFile(join(folder, "refused"), login),
    async also(at, orders, target) {
      await writeFile(place(target), JSON.stringify(await inFile(orders)));
      await alsoConsumer(at, orders, {
        name: "warehouse",
        kind: "exec",
        target: `exec:store:${target}`,
        config: { program: "store", target, fields: ["username", "password"], reload: true },
        evidence: { wanted: "delivered", collectors: {} },
      });
    },
  };
}
