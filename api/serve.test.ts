import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSettings } from "../settings.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { createClient, type Client } from "./client.ts";
import { serve, type Served } from "./serve.ts";

/** More than the API has connections to the ledger. */
const operators = 14;

let folder: string;
let served: Served;
let client: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rekey-serve-"));
  const { url } = await withLedger();
  const settings = { DATABASE_URL: url, REKEY_HOME: folder, REKEY_PORT: "0", REKEY_LOG_LEVEL: "silent" };
  served = await serve(readSettings(settings));
  client = createClient({ address: served.address, token: (await readFile(served.tokenFile ?? "", "utf8")).trim() });
});

afterAll(async () => {
  await served.stop();
  await rm(folder, { recursive: true, force: true });
});

const newSecret = () => randomBytes(12).toString("hex");
const all = Array.from({ length: operators }, (_, at) => at);

const places = `apiVersion: rekey/v1
kind: Team
metadata: { name: shop }
---
apiVersion: rekey/v1
kind: Environment
metadata: { name: prod }
`;
const connection = (at: number) => `apiVersion: rekey/v1
kind: Connection
metadata: { name: c${at}, team: shop, environment: prod }
spec:
  kind: postgres-role
  config: { host: 127.0.0.1, port: 5432, database: postgres, user: admin_${at} }
  secretFrom: given
`;
const credential = (at: number) => `apiVersion: rekey/v1
kind: Credential
metadata: { name: k${at}, team: shop, environment: prod }
spec: { connection: c${at}, config: { login: login_${at}, database: shop } }
`;

async function apply(text: string, secrets: Readonly<Record<string, string>> = {}): Promise<string> {
  const files = [{ name: "rekey.yaml", text, secrets }];
  const { digest } = await client.call("applyManifests", { body: { files } });
  return (await client.call("applyManifests", { body: { files, planDigest: digest } })).outcome;
}

describe("more operators at once than the API has connections to the ledger", () => {
  it("each have their connection's secret taken into custody, and their value adopted", async () => {
    expect(await apply(places)).toBe("applied");
    const applied = all.map(async (at) => apply(connection(at), { 0: newSecret() }));
    expect(new Set(await Promise.all(applied))).toEqual(new Set(["applied"]));
    expect(await apply(all.map(credential).join("---\n"))).toBe("applied");
    const adopted = all.map(async (at) => {
      const body = { secret: newSecret(), fields: { username: `login_${at}` } };
      return client.call("adoptCredential", { params: { credential: `k${at}` }, body });
    });
    expect(new Set((await Promise.all(adopted)).map(({ checkId }) => checkId)).size).toBe(operators);
  });
});
