import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createConnectionSecrets } from "../../api/connection-secrets.ts";
import { createFingerprints } from "../../custody/fingerprint.ts";
import { openKeyFile } from "../../custody/key-file.ts";
import { versionRef } from "../../custody/refs.ts";
import { adoptCredential } from "../../ledger/adoption.ts";
import { readCheck } from "../../ledger/checks.ts";
import { readInstance } from "../../ledger/health.ts";
import { applyManifests } from "../../manifests/apply.ts";
import { catalog } from "../../providers/catalog.ts";
import { postgresRole } from "../../providers/issuers/postgres-role/definition.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { makeAdmin, newSecret } from "../harness/postgres-issuer.ts";
import { register, type Registered } from "../harness/registered.ts";
import { openWorld, untilLedger, type World } from "../harness/world.ts";
import { onlyEmbedded } from "../harness/memory-custody.ts";

let world: World;
let one: Registered;
let login: string;
let firstAdmin: string;

beforeAll(async () => {
  world = await openWorld();
  await world.startWorker();
  one = await register(world, { order: "single-slot" });
  login = one.logins[0] ?? "";
  const { rows } = await sql<{ admin: string }>`
    SELECT admin_principal AS admin FROM connections WHERE id = ${one.connectionId}`.execute(world.ledger.db);
  firstAdmin = rows[0]?.admin ?? "";
  await registerAgain();
});

afterAll(async () => {
  await one.shop.close();
  await world.close();
});

/** A second way to the same server, whose login may do all that the first one may, and two credentials over it. */
async function registerAgain(): Promise<void> {
  const admin = { user: "second_admin", password: newSecret() };
  await makeAdmin(world.issuer, admin, [login]);
  await world.issuer.ask(`GRANT ${firstAdmin} TO ${admin.user} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
  const metadata = "team: second, environment: again";
  const credential = (name: string, of: string) => `apiVersion: rekey/v1
kind: Credential
metadata: { name: ${name}, ${metadata} }
spec: { connection: again, config: { login: ${of}, database: ${one.database} } }
`;
  const { host, port } = world.issuer;
  const text = `apiVersion: rekey/v1
kind: Team
metadata: { name: second }
---
apiVersion: rekey/v1
kind: Environment
metadata: { name: again }
---
apiVersion: rekey/v1
kind: Connection
metadata: { name: again, ${metadata} }
spec:
  kind: postgres-role
  config: { host: "${host}", port: ${port}, database: postgres, user: ${admin.user} }
  secretFrom: given
---
${credential("same", login)}---
${credential("hand", firstAdmin)}`;
  const files = [{ name: "rekey.yaml", text, secrets: { 2: new Secret(admin.password) } }];
  const fingerprints = createFingerprints(
    await openKeyFile(join(world.folder, "keys/fingerprint.json"), { create: false }),
  );
  const { ledger, custody } = world;
  const secrets = createConnectionSecrets({ custody, fingerprints, instance: await readInstance(ledger) });
  const plan = await applyManifests({ ledger, catalog, secrets, custody: onlyEmbedded }, { files, actor: "tok_test" });
  if (plan.outcome !== "planned") throw new Error(JSON.stringify(plan));
  await applyManifests(
    { ledger, catalog, secrets, custody: onlyEmbedded },
    { files, actor: "tok_test", planDigest: plan.plan.digest },
  );
}

/** Gives the value of today, which is the right one, and waits for what the worker finds. */
async function adopt(name: string, username: string, password: string) {
  const { rows } = await sql<{ id: string; config: unknown }>`
    SELECT id, config FROM credentials WHERE name = ${name}`.execute(world.ledger.db);
  const { connectionSchema, configSchema, complete } = postgresRole;
  const checkId = await adoptCredential(world.ledger, {
    credentialId: rows[0]?.id ?? "",
    actor: "tok_test",
    async put(place) {
      const given = { username, password: new Secret(password) };
      const config = configSchema.parse(rows[0]?.config);
      const value = complete(connectionSchema.parse(place.settings), config, given);
      await world.custody.forget(versionRef(place));
      await world.custody.putIfAbsent(versionRef(place), value);
    },
  });
  return untilLedger(async () => {
    const found = await readCheck(world.ledger.db, "everything", checkId);
    return found?.state === "pending" ? undefined : found;
  });
}

async function identityOfSecond(): Promise<unknown> {
  const { rows } = await sql`SELECT identity FROM connections WHERE name = 'again'`.execute(world.ledger.db);
  return rows;
}

describe("a second connection to a server, registered before anybody had seen where it leads", () => {
  it("invariant 19: takes no credential that the first one logs in with, and its login still works", async () => {
    const check = await adopt("hand", firstAdmin, one.adminPassword);
    expect(check).toMatchObject({ state: "failed", findings: [{ code: "principal_is_connection" }] });
    expect(check.findings[0]?.detail).toContain(`the login ${firstAdmin}, which connection`);
    expect(await world.issuer.logsIn(firstAdmin, one.adminPassword, "postgres")).toBe("accepted");
    expect(await identityOfSecond()).toEqual([{ identity: null }]);
  });

  it("says first that the password is not the one that the application uses", async () => {
    const check = await adopt("same", login, newSecret());
    expect(check.findings[0]?.detail).toMatch(
      new RegExp(`^The server refuses this password for ${login}\\. Type the one that the application uses now\\.`),
    );
  });

  it("invariant 7: takes no login that a credential over the first one has", async () => {
    const check = await adopt("same", login, one.password);
    expect(check).toMatchObject({ state: "failed", findings: [{ code: "principal_claimed" }] });
    expect(check.findings[0]?.detail).toContain(`the login ${login}, which credential`);
    expect(await identityOfSecond()).toEqual([{ identity: null }]);
  });
});
