import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { connectionSecretRef, type ConnectionSecretRow } from "../custody/refs.ts";
import { revealField } from "../providers/contract/value.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { connection, connectionIndex, consumer, credential, everything } from "../test/harness/manifests.ts";

let test: TestLedger;
let api: TestApi;

beforeAll(async () => {
  test = await withLedger();
  api = await withApi(test);
});

const newSecret = () => randomBytes(12).toString("hex");

interface Plan {
  readonly outcome: string;
  readonly digest: string;
  readonly items: readonly {
    readonly ref: string;
    readonly action: string;
    readonly changes: readonly { readonly field: string }[];
    readonly notes: readonly string[];
  }[];
}

async function send(text: string, secrets: Record<string, unknown> = {}, planDigest?: string, from = api) {
  const body = { files: [{ name: "rekey.yaml", text, secrets }], planDigest };
  const answer = await from.ask("POST", "/manifests/apply", body);
  return { ...answer, plan: answer.json as unknown as Plan };
}

/** Plans and says yes. */
async function apply(text: string, secrets: Record<string, unknown> = {}, from = api) {
  const { plan, status, text: said } = await send(text, secrets, undefined, from);
  if (status !== 200) throw new Error(said);
  return send(text, secrets, plan.digest, from);
}

async function fresh(secret = newSecret()): Promise<TestApi> {
  const own = await withApi(await withLedger());
  await apply(everything, { [connectionIndex]: secret }, own);
  return own;
}

const actions = ({ plan }: { plan: Plan }) => plan.items.map(({ action }) => action);

async function storedSecret(from: TestApi): Promise<string> {
  const { rows } = await sql<ConnectionSecretRow>`SELECT * FROM connections`.execute(from.deps.ledger.db);
  const [row] = rows;
  if (row === undefined) throw new Error("no connection");
  return revealField((await from.custody.get(connectionSecretRef(row, from.deps.instance))) ?? {}, "password");
}

async function issues(text: string, from = api) {
  const { status, json } = await send(text, {}, undefined, from);
  expect(status).toBe(422);
  return (json as { issues: { line: number; field: string; text: string }[] }).issues.map(
    ({ line, field, text: said }) => `${line} ${field}: ${said}`,
  );
}

const line = (text: string, part: string) => text.split("\n").findIndex((one) => one.includes(part)) + 1;

describe("applying manifests", () => {
  it("plans, stores nothing until the plan is agreed to, then stores all of it with its audit rows", async () => {
    const secret = newSecret();
    const planned = await send(everything, { [connectionIndex]: secret });
    expect(planned.plan.outcome).toBe("planned");
    expect(actions(planned)).toEqual(["create", "create", "create", "create", "create"]);
    expect((await sql`SELECT FROM teams`.execute(test.ledger.db)).rows).toHaveLength(0);
    const applied = await send(everything, { [connectionIndex]: secret }, planned.plan.digest);
    expect(applied.plan.outcome).toBe("applied");
    const { rows } = await sql<{ action: string }>`SELECT action FROM audit ORDER BY id`.execute(test.ledger.db);
    expect(rows.map(({ action }) => action)).toEqual(
      expect.arrayContaining([
        "team.created",
        "environment.created",
        "connection.created",
        "connection.secret_given",
        "credential.created",
        "consumer.created",
      ]),
    );
    expect(await storedSecret(api)).toBe(secret);
  });

  it("changes nothing the second time, with or without the same secret", async () => {
    const secret = newSecret();
    const own = await fresh(secret);
    expect(new Set(actions(await send(everything, { [connectionIndex]: secret }, undefined, own)))).toEqual(
      new Set(["unchanged"]),
    );
    const without = everything.replace("  secretFrom: given\n", "");
    expect(new Set(actions(await apply(without, {}, own)))).toEqual(new Set(["unchanged"]));
    expect(await storedSecret(own)).toBe(secret);
  });

  it("shows each field that changes, from what to what, in the words of the manifest", async () => {
    const own = await fresh();
    const text = credential.replace("grace: 2s", "grace: 15m");
    const { plan } = await apply(text, {}, own);
    expect(plan.items).toMatchObject([
      { action: "change", changes: [{ field: "spec.policy.grace", from: "2s", to: "15m" }] },
    ]);
  });

  it("refuses to apply a plan that somebody else has overtaken", async () => {
    const own = await fresh();
    const text = credential.replace("2s", "3s");
    const { plan } = await send(text, {}, undefined, own);
    await apply(credential.replace("2s", "4s"), {}, own);
    const late = await send(text, {}, plan.digest, own);
    expect(late.status).toBe(409);
    expect(late.json).toMatchObject({ code: "plan_changed" });
  });

  it("lets two who apply the same at once create everything once", async () => {
    const own = await withApi(await withLedger());
    const secrets = { [connectionIndex]: newSecret() };
    const { plan } = await send(everything, secrets, undefined, own);
    const both = await Promise.all([1, 2].map(() => send(everything, secrets, plan.digest, own)));
    expect(both.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 409]));
    expect((await sql`SELECT FROM credentials`.execute(own.deps.ledger.db)).rows).toHaveLength(1);
  });

  it("stores nothing at all when one document is wrong", async () => {
    const own = await withApi(await withLedger());
    const { status } = await send(everything.replace("fake-place", "nowhere"), { 2: newSecret() }, undefined, own);
    expect(status).toBe(422);
    expect((await sql`SELECT FROM teams`.execute(own.deps.ledger.db)).rows).toHaveLength(0);
  });

  it("invariant 15: stores nothing when an audit row cannot be written", async () => {
    const own = await withApi(await withLedger());
    const { db } = own.deps.ledger;
    await sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no audit'; END$$`.execute(db);
    await sql`CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()`.execute(db);
    const { plan } = await send(everything, { 2: newSecret() }, undefined, own);
    expect((await send(everything, { 2: newSecret() }, plan.digest, own)).status).toBe(500);
    expect((await sql`SELECT FROM teams`.execute(db)).rows).toHaveLength(0);
  });
});

describe("a connection's secret", () => {
  it("is replaced when another one is given, and the former one is destroyed", async () => {
    const own = await fresh();
    const secret = newSecret();
    const { plan } = await apply(connection, { 0: secret }, own);
    expect(plan.items).toMatchObject([{ action: "change", notes: ["Its secret in custody is replaced."] }]);
    expect(await storedSecret(own)).toBe(secret);
    const { rows } = await sql`SELECT key FROM custody_values`.execute(own.deps.ledger.db);
    expect(rows).toHaveLength(1);
  });

  it.each([
    ["host", "db.internal", "evil.example"],
    ["port", "user: rekey_admin", "user: rekey_admin, port: 6432"],
    ["login", "rekey_admin", "other_admin"],
  ])("has to be given again when the %s changes", async (_, from, to) => {
    const own = await fresh();
    const moved = connection.replace(from, to);
    expect((await issues(moved.replace("  secretFrom: given\n", ""), own))[0]).toContain(
      "Give it again: add secretFrom.",
    );
    const secret = newSecret();
    expect((await apply(moved, { 0: secret }, own)).status).toBe(200);
    expect(await storedSecret(own)).toBe(secret);
  });

  it("cannot be opened once somebody edits the address behind our back", async () => {
    const own = await fresh();
    await sql`UPDATE connections SET settings = settings || '{"host": "evil.example"}'`.execute(own.deps.ledger.db);
    await expect(storedSecret(own)).rejects.toThrow("Give the secret again");
  });

  it("that is named but was not sent is asked for, and a reference is refused", async () => {
    const own = await fresh();
    expect((await issues(connection, own))[0]).toContain("came without its secret");
    expect((await issues(connection.replace("given", "{ env: PGPASSWORD }"), own))[0]).toContain(
      "which the command line reads on your machine",
    );
  });

  it.each(["***", "[secret]", "two\nlines"])("invariant 13: is refused as %o", async (secret) => {
    const own = await fresh();
    const { status, text } = await send(connection, { 0: secret }, undefined, own);
    expect(status).toBe(422);
    expect(text).not.toContain("two");
  });

  it("may be absent, which the plan says", async () => {
    const own = await withApi(await withLedger());
    const { plan } = await apply(everything.replace("  secretFrom: given\n", ""), {}, own);
    expect(plan.items[connectionIndex]?.notes[0]).toContain("It has no secret yet");
  });
});

describe("mistakes that need the ledger", () => {
  const text = everything.replace("  secretFrom: given\n", "");
  let empty: TestApi;
  beforeAll(async () => {
    empty = await withApi(await withLedger());
  });
  const mistakes: readonly (readonly [string, string, string, string])[] = [
    ["a team that is not there", "name: main, team: shop", "name: main, team: shup", "names no team that exists"],
    ["an environment that is not there", "name: main, team: shop, environment: prod", "name: main, team: shop, environment: prad", "names no environment"],
    ["a kind of issuer", "fake-db", "fake-bd", "spec.kind: must be one of fake-db; did you mean fake-db?"],
    ["a kind of consumer", "fake-place", "fake-plac", "did you mean fake-place?"],
    ["a field of a connection", "host:", "hots:", "spec.config.hots: is no field here; did you mean host?"],
    ["a field of a connection that is missing", "host: db.internal, ", "", "spec.config.host: is missing: it must be a text."],
    ["a port out of range", "user: rekey_admin", "user: rekey_admin, port: 70000", "spec.config.port"],
    ["a field of a credential", "logins:", "login:", "did you mean logins?"],
    ["a connection that is not there", "connection: main", "connection: mian", "names no connection that exists"],
    ["a credential that is not there", "credential: orders", "credential: order", "Did you mean shop/orders?"],
    ["an issuer that is not the connection's", "connection: main", "connection: main\n  issuer: other", "must be fake-db, as its connection is"],
    ["a relative path", "/srv/web.env", "web.env", "spec.config.path: must be an absolute path"],
    ["a field that the value does not have", "DB_PASSWORD: password", "DB_PASSWORD: pasword", "Did you mean password?"],
    ["a kind of evidence", "watch:", "wotch:", "Did you mean watch?"],
    ["a field of evidence", "instances: 2", "instance: 2", "spec.evidence.watch.instance: is no field here; did you mean instances?"],
    ["one login twice", "orders_a, orders_b", "orders_a, orders_a", "names the login orders_a twice"],
  ]; // prettier-ignore
  it.each(mistakes)("%s", async (_, from, to, said) => {
    const wrong = text.replace(from, to);
    const found = await issues(wrong, empty);
    expect(found.join("\n")).toContain(said);
    const changed = to === "" ? "config: {" : (to.split("\n").at(-1) ?? "").split(",")[0];
    expect(Number.parseInt(found[0] ?? "", 10)).toBeGreaterThan(0);
    expect(wrong).toContain(changed);
  });

  it("of what others refer to are said once, at their root", async () => {
    const own = await withApi(await withLedger());
    const wrong = everything
      .replace("user: rekey_admin", "user: rekey_admin, colour: red")
      .replace("  secretFrom: given\n", "");
    expect(await issues(wrong, own)).toEqual([expect.stringContaining("spec.config: has a field that does not exist")]);
    const twice = wrong.replace("fake-place", "fake-plaice");
    expect(await issues(twice, own)).toEqual([
      expect.stringContaining("spec.config: has a field that does not exist"),
      expect.stringContaining("spec.kind: "),
    ]);
    const gone = everything.replace("connection: main", "connection: mian").replace("  secretFrom: given\n", "");
    expect(await issues(gone, own)).toEqual([expect.stringContaining("spec.connection: names no connection")]);
  });

  it("names the very line", async () => {
    const wrong = text.replace("instances: 2", "instances: none");
    expect((await issues(wrong, empty))[0]).toMatch(new RegExp(`^${line(wrong, "instances: none")} `));
  });

  it("invariant 19: a connection's own login as a credential's, from either side", async () => {
    const wrong = text.replace("orders_b", "rekey_admin");
    expect((await issues(wrong, empty))[0]).toContain("cannot be rotated by rekey");
    const later = await fresh();
    const moved = connection.replace("rekey_admin", "orders_a");
    const { json } = await send(moved, { 0: newSecret() }, undefined, later);
    expect(JSON.stringify(json)).toContain("credential shop/orders rotates");
  });

  it("invariant 19: also over another connection that leads to the same server", async () => {
    const own = await fresh();
    const second = connection.replace("name: main", "name: second").replace("rekey_admin", "second_admin");
    await apply(second, { 0: newSecret() }, own);
    await sql`UPDATE connections SET identity = 'one server'`.execute(own.deps.ledger.db);
    const other = credential.replace("name: orders", "name: other").replace("orders_a, orders_b", "second_admin");
    expect((await issues(other, own))[0]).toContain("connection shop/second itself logs in with");
  });

  it("none of a login on the server that an edited connection led to before", async () => {
    const own = await fresh();
    const second = connection.replace("name: main", "name: second").replace("rekey_admin", "second_admin");
    const stock = credential.replace("name: orders", "name: stock").replace("orders_a, orders_b", "stock_a");
    const over = stock.replace("connection: main", "connection: second");
    await apply(`${second}---\n${over}`, { 0: newSecret() }, own);
    await sql`UPDATE connections SET identity = 'one server'`.execute(own.deps.ledger.db);
    const moved = second.replace("db.internal", "other.internal");
    const same = credential.replace("name: orders", "name: copy").replace("connection: main", "connection: second");
    const left = credential.replace("orders_b", "stock_a");
    expect((await send(`${moved}---\n${same}---\n${left}`, { 0: newSecret() }, undefined, own)).status).toBe(200);
    // Within the connection nothing has changed.
    const twice = same.replace("orders_a, orders_b", "stock_a");
    const { json } = await send(`${moved}---\n${twice}`, { 0: newSecret() }, undefined, own);
    expect(JSON.stringify(json)).toContain("credential shop/stock has already");
  });

  it("one login claimed by two credentials", async () => {
    const own = await fresh();
    const other = credential.replace("name: orders", "name: other");
    expect((await issues(other, own))[0]).toContain("credential shop/orders has already");
  });

  it("what cannot change: environment, kind, and a credential's logins during a rotation", async () => {
    const own = await fresh();
    const { db } = own.deps.ledger;
    await sql`INSERT INTO environments (id, name) VALUES ('env_2', 'test')`.execute(db);
    const moved = connection.replace("environment: prod", "environment: test").replace("  secretFrom: given\n", "");
    expect((await issues(moved, own))[0]).toContain("is prod and cannot change");
    await sql`
      INSERT INTO rotations (id, credential_id, rotation_order, to_version, policy, pinned, requested_by)
      SELECT 'rot_1', id, rotation_order, 2, policy, '{}', 'tok_1' FROM credentials`.execute(db);
    const other = credential.replace("orders_b", "orders_c");
    expect((await issues(other, own))[0]).toContain("cannot change while rotation rot_1 is open");
    expect((await apply(credential.replace("2s", "9s"), {}, own)).plan.items[0]?.notes[0]).toContain("rot_1");
  });

  it("what cannot change: where a consumer reads, once an open rotation has put a version there", async () => {
    const own = await fresh();
    const { db } = own.deps.ledger;
    await sql`
      INSERT INTO rotations (id, credential_id, rotation_order, to_version, policy, pinned, requested_by)
      SELECT 'rot_1', id, rotation_order, 2, policy, '{}', 'tok_1' FROM credentials`.execute(db);
    const moved = consumer.replace("/srv/web.env", "/srv/other.env");
    const renamed = consumer.replace("DB_PASSWORD", "PGPASSWORD");
    expect((await send(moved, {}, undefined, own)).status).toBe(200);
    await sql`
      INSERT INTO deliveries (id, rotation_id, consumer_id, target, version, epoch, number)
      SELECT 'dlv_1', 'rot_1', id, target, 2, 1, 1 FROM consumers`.execute(db);
    for (const edited of [moved, renamed]) {
      const [said = ""] = await issues(edited, own);
      expect(said).toContain("spec.config: cannot change while rotation rot_1 is open");
      expect(said).toContain("`rekey rotation abort rot_1`");
    }
    // How it is asked may change: a hold for want of evidence is often answered so.
    expect(actions(await apply(consumer.replace("instances: 2", "instances: 3"), {}, own))).toEqual(["change"]);
    await sql`UPDATE rotations SET outcome = 'proven', phase = 'closed', closed_at = clock_timestamp()`.execute(db);
    expect(actions(await apply(moved, {}, own))).toEqual(["change"]);
  });

  describe("two consumers at one place", () => {
    const other = consumer.replace("name: web", "name: cron");
    const twice =
      /would write DB_PASSWORD at fake:\/srv\/web.env, which consumer shop\/web of credential shop\/orders writes/;

    it("are refused where one is registered and both would write one key, and the other is named", async () => {
      const own = await fresh();
      expect(await issues(other, own)).toEqual([expect.stringMatching(twice)]);
    });

    it("are refused where both come in the same files, each by the name of the other", async () => {
      const own = await fresh();
      const named = (name: string) => consumer.replace("name: web", `name: ${name}`).replace("/srv/web", "/srv/new");
      const found = await issues(`${named("one")}---\n${named("two")}`, own);
      expect(found.map((said) => /which consumer (\S+) of/.exec(said)?.[1])).toEqual(["shop/two", "shop/one"]);
    });

    it("are let in with keys of their own, and when the first one goes elsewhere at the same time", async () => {
      const own = await fresh();
      const keys = other.replace("DB_PASSWORD", "PGPASSWORD").replace("name: cron", "name: job");
      expect(actions(await apply(keys, {}, own))).toEqual(["create"]);
      const moved = consumer.replace("/srv/web.env", "/srv/elsewhere.env");
      expect(actions(await apply(`${moved}---\n${other}`, {}, own))).toEqual(["change", "create"]);
    });

    it("that were registered before are left alone while nothing of them changes", async () => {
      const own = await fresh();
      const { db } = own.deps.ledger;
      await sql`
        INSERT INTO consumers (id, credential_id, team_id, name, kind, target, config, evidence)
        SELECT 'con_twin', credential_id, team_id, 'twin', kind, target, config, evidence FROM consumers`.execute(db);
      expect(actions(await apply(consumer, {}, own))).toEqual(["unchanged"]);
      const changed = consumer.replace("instances: 2", "instances: 3");
      expect(JSON.stringify(await issues(changed, own))).toContain("consumer shop/twin of credential shop/orders");
    });
  });

  it("a consumer that can never give what it is asked for is pointed out, and accepted", async () => {
    const own = await fresh();
    const { plan } = await apply(consumer.replace("watch: { instances: 2 }", "wanted: attested"), {}, own);
    expect(plan.items[0]?.notes[0]).toContain("every rotation will wait for a person");
    expect(plan.items[0]?.notes[1]).toMatch(/^fake:\/\S+ is minded by its worker alone\.$/);
  });
});

describe("invariant 6: nothing that was sent as a secret", () => {
  it("stands in an answer, the log, the audit trail or the registry", async () => {
    const secret = `MARK${newSecret()}`;
    const own = await withApi(await withLedger());
    const texts = [
      (await send(everything, { [connectionIndex]: secret }, undefined, own)).text,
      (await apply(everything, { [connectionIndex]: secret }, own)).text,
      (await send(everything.replace("fake-place", "x"), { [connectionIndex]: secret }, undefined, own)).text,
      (await send(everything, { [connectionIndex]: { wrong: secret } }, undefined, own)).text,
      (await send(everything, { [connectionIndex]: "x".repeat(20_000) + secret }, undefined, own)).text,
      ...own.logged,
    ];
    const tables = ["audit", "outbox", "connections", "credentials", "consumers", "custody_values", "tokens"];
    for (const table of tables) {
      const { rows } = await sql`SELECT * FROM ${sql.table(table)}`.execute(own.deps.ledger.db);
      texts.push(JSON.stringify(rows));
    }
    const forms = [secret, Buffer.from(secret).toString("base64").slice(0, 16), Buffer.from(secret).toString("hex")];
    for (const form of forms) expect(texts.join("\n")).not.toContain(form);
  });
});
