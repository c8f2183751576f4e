import { createSecretKey, randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFingerprints } from "../custody/fingerprint.ts";
import { createKeyRing } from "../custody/key-file.ts";
import { recordDeadLook, type DeathWatch } from "../ledger/death-watches.ts";
import { Secret } from "../providers/contract/secret.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { setVersion } from "../test/harness/leaked-version.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { everything } from "../test/harness/manifests.ts";
import { leakHandlers } from "./leaks.ts";

let api: TestApi;
let responder: TestApi;

beforeAll(async () => {
  api = await withApi(await withLedger());
  responder = await api.as("responder");
});

const db = () => api.deps.ledger.db;
/** With characters that each encoding writes in another way. */
const newSecret = () => `${randomBytes(9).toString("hex")}"/%+@:${randomBytes(9).toString("hex")}`;

interface Answered {
  readonly state: string;
  readonly versions: readonly Record<string, unknown>[];
  readonly connections: readonly Record<string, unknown>[];
  readonly tokens: readonly Record<string, unknown>[];
}

async function check(values: readonly string[], by: TestApi = responder): Promise<readonly Answered[]> {
  const { status, text, json } = await by.ask("POST", "/leaks/check", { values });
  expect([status, text]).toEqual([200, text]);
  return json["answers"] as readonly Answered[];
}

const checkOne = async (value: string, by?: TestApi): Promise<Answered> => {
  const [answer] = await check([value], by);
  if (answer === undefined) throw new Error("no answer");
  return answer;
};

const unknown = { state: "unknown", versions: [], connections: [], tokens: [] };

describe("a value that has leaked", () => {
  let ref: string;
  let secret: string;

  beforeEach(async () => {
    ref = await adopted(api);
    secret = newSecret();
    await setVersion(api, ref, 1, secret);
  });

  it("is a live version of ours: which, since when, who breaks, and what to run", async () => {
    const { state, versions } = await checkOne(secret);
    expect(state).toBe("known");
    expect(versions).toMatchObject([
      {
        credential: ref,
        environment: "prod",
        version: 1,
        by: "value",
        life: "alive",
        state: "live",
        isCurrent: true,
        proof: null,
        rotation: null,
        consumers: [
          { ref: `${ref.split("/")[0]}/web`, contact: `#${ref.split("/")[0]}`, heldVersion: null, tie: "undelivered" },
        ],
        command: `rekey rotate ${ref} --emergency --version 1 --reason "…"`,
        next: "The issuer accepts it.",
      },
    ]);
  });

  it("is recognised as people and programs write it, with line ends of Windows too", async () => {
    const url = `postgres://orders:${encodeURIComponent(secret)}@db.internal:5432/orders?sslmode=require`;
    const written = [
      `${secret}\r`,
      `  ${secret}\t`,
      url,
      `DATABASE_URL="${url}"`,
      `DB_PASSWORD=${secret}`,
      `  "password": ${JSON.stringify(secret)},`,
      Buffer.from(`orders:${secret}`).toString("base64"),
      `Authorization: Basic ${Buffer.from(`orders:${secret}`).toString("base64")}`,
      `{\r\n  "user": "orders",\r\n  "password": ${JSON.stringify(secret)}\r\n}`,
    ];
    for (const { versions } of await check(written)) expect(versions).toMatchObject([{ credential: ref, version: 1 }]);
  });

  it("is nothing of ours when it is another, cut, longer, or made of any bytes", async () => {
    const garbage = randomBytes(4_000).toString("latin1").replaceAll("\0", " ");
    const others = [newSecret(), secret.slice(1), `${secret}x`, secret.toUpperCase(), garbage, "\u{1f511}", " "];
    for (const answer of await check(others)) expect(answer).toEqual(unknown);
  });

  it("is dead once its refusal was seen, with the proof, and no command", async () => {
    await setVersion(api, ref, 1, secret, "proven-dead");
    await sql`
      INSERT INTO audit (credential_id, rotation_id, actor, action, details)
      SELECT credential_id, 'rot_that_proved', 'system:worker', 'version.proven-dead',
        '{"version": 1, "code": "28P01", "controls": "wrong-refused,live-accepted"}'
      FROM versions v JOIN credentials c ON c.id = v.credential_id JOIN teams t ON t.id = c.team_id
      WHERE t.name || '/' || c.name = ${ref} AND v.number = 1`.execute(db());
    const { versions } = await checkOne(secret);
    expect(versions).toMatchObject([
      {
        life: "dead",
        consumers: [],
        command: null,
        proof: { code: "28P01", controls: "wrong-refused,live-accepted", rotationId: "rot_that_proved" },
      },
    ]);
    const [{ since, proof }] = versions as unknown as [{ since: string; proof: { at: string } }];
    expect(since).toBe(proof.at);
  });

  it("is alive again while the last look at its issuer showed it brought back, and no command ends it", async () => {
    await setVersion(api, ref, 1, secret, "proven-dead");
    const { rows } = await sql<{ versionId: string; credentialId: string }>`
      UPDATE versions v SET handle = 'orders_a/1' FROM credentials c JOIN teams t ON t.id = c.team_id
      WHERE v.credential_id = c.id AND t.name || '/' || c.name = ${ref} AND v.number = 1
      RETURNING v.id AS "versionId", c.id AS "credentialId"`.execute(db());
    const watch = { ...rows[0], number: 1 } as DeathWatch;
    await sql`
      INSERT INTO death_watches (version_id, until)
      VALUES (${watch.versionId}, clock_timestamp() + interval '1 day')`.execute(db());
    const isAlive = { life: "alive", command: null, next: expect.stringContaining("orders_a/1 can log in again") };
    const found = { kind: "revived", key: "orders_a/1", text: "It can log in again." } as const;
    for (const [finds, expected] of [
      [[], { life: "dead" }],
      [[found], isAlive],
      [[found], isAlive],
      [[], { life: "dead" }],
    ] as const) {
      await recordDeadLook(api.deps.ledger, watch, finds);
      expect((await checkOne(secret)).versions).toMatchObject([expected]);
    }
  });

  it.each([
    ["intended", "alive", "may accept it already"],
    ["disabled", "alive", "could accept it again"],
    ["ended", "unproven", "nobody has seen it refused"],
  ])("is not called dead in the state %s: %s", async (state, life, says) => {
    await setVersion(api, ref, 1, secret, state);
    const { versions } = await checkOne(secret);
    expect(versions).toMatchObject([
      { life, command: expect.stringContaining("--emergency --version 1"), next: expect.stringContaining(says) },
    ]);
  });

  it("has no command once a person has let it go without proof, which rekey ends no more, and says who has to look", async () => {
    await setVersion(api, ref, 1, secret, "accepted-unproven");
    const { versions } = await checkOne(secret);
    expect(versions).toMatchObject([
      { life: "unproven", command: null, next: expect.stringMatching(/may be in use.*look at its issuer/) },
    ]);
  });

  it("names the rotation that is replacing it, and only consumers that were not seen on another version", async () => {
    const { json } = await api.ask("POST", `/credentials/${encodeURIComponent(ref)}/rotate`, {});
    const rotation = String(json["id"]);
    await sql`UPDATE rotations SET phase = 'delivered' WHERE id = ${rotation}`.execute(db());
    const consumers = async () => (await checkOne(secret)).versions[0]?.["consumers"];
    const { rows } = await sql<{ id: string }>`
      UPDATE consumers SET held_version = 2
      WHERE credential_id = (SELECT credential_id FROM rotations WHERE id = ${rotation}) RETURNING id`.execute(db());
    expect(await consumers()).toMatchObject([{ heldVersion: 2, tie: "unseen" }]);
    const see = async (version: number, complete: boolean, source = "watch") =>
      sql`
        INSERT INTO evidence (rotation_id, consumer_id, version, source, strength, complete, instances)
        VALUES (${rotation}, ${rows[0]?.id}, ${version}, ${source}, 'observed', ${complete}, 1)`.execute(db());
    await see(2, false);
    await see(2, true, "target");
    expect(await consumers()).toMatchObject([{ tie: "unseen" }]);
    await see(2, true);
    expect(await consumers()).toEqual([]);
    const { versions } = await checkOne(secret);
    expect(versions[0]?.["next"]).toBe(
      `The issuer accepts it. Rotation ${rotation} is replacing it, in the phase delivered.`,
    );
    expect(versions[0]?.["rotation"]).toMatchObject({ id: rotation, phase: "delivered", toVersion: 2 });
  });

  it("of a deleted credential is told too, with what a person has to end by hand", async () => {
    await sql`
      UPDATE credentials c SET retired_at = clock_timestamp() FROM teams t
      WHERE t.id = c.team_id AND t.name || '/' || c.name = ${ref}`.execute(db());
    const { versions } = await checkOne(secret);
    expect(versions).toMatchObject([
      { life: "alive", command: null, next: expect.stringMatching(/registered no more.*End .*#1 by hand/) },
    ]);
    expect(versions[0]?.["deletedAt"]).toMatch(/^20/);
  });

  it("that two credentials have is told of both", async () => {
    const other = await adopted(api);
    await setVersion(api, other, 1, secret);
    expect((await checkOne(secret)).versions.map(({ credential }) => credential)).toEqual([ref, other].toSorted());
  });

  it("is recognised by every key of fingerprints that is held, and the answer says when one is missing", async () => {
    const key = () => createSecretKey(randomBytes(32));
    const [former, newest] = [
      { id: "key_former", key: key() },
      { id: "key_newest", key: key() },
    ];
    const both = createFingerprints(createKeyRing([former, newest]));
    const madeBefore = createFingerprints(createKeyRing([former])).of(new Secret(secret));
    await sql`UPDATE versions SET fingerprint = NULL`.execute(db());
    await sql`
      UPDATE versions v SET fingerprint = ${madeBefore} FROM credentials c JOIN teams t ON t.id = c.team_id
      WHERE c.id = v.credential_id AND t.name || '/' || c.name = ${ref}`.execute(db());
    const ask = async (fingerprints: typeof both) => {
      const call = { body: { values: [secret] }, actor: "tok_test", scope: "everything" as const };
      const { answers, notCompared } = await leakHandlers.checkLeaks(call, { ...api.deps, fingerprints });
      return [answers[0]?.state, notCompared.isKeyMissing];
    };
    expect(await ask(both)).toEqual(["known", false]);
    expect(await ask(createFingerprints(createKeyRing([newest])))).toEqual(["unknown", true]);
  });
});

describe("what else is recognised", () => {
  it("a connection's own secret, which a person has to replace by hand", async () => {
    const secret = newSecret();
    const name = `t${randomBytes(4).toString("hex")}`;
    const text = everything.replaceAll("shop", name).replace("/srv/web.env", `/srv/${name}.env`);
    const body = { files: [{ name: "rekey.yaml", text, secrets: { "2": secret } }] };
    const { json } = await api.ask("POST", "/manifests/apply", body);
    expect((await api.ask("POST", "/manifests/apply", { ...body, planDigest: json["digest"] })).status).toBe(200);
    const { state, versions, connections } = await checkOne(`PGPASSWORD=${secret}`);
    expect([state, versions]).toEqual(["known", []]);
    expect(connections).toMatchObject([
      { connection: `${name}/main`, kind: "fake-db", principal: "rekey_admin", next: expect.stringContaining("apply") },
    ]);
  });

  it("a token of rekey, with the command that revokes it while it counts", async () => {
    const leaked = await api.as("operator");
    const command = `rekey token revoke ${leaked.tokenId}`;
    expect((await checkOne(`curl -H "Authorization: Bearer ${leaked.token}"`)).tokens).toEqual([
      { id: leaked.tokenId, role: "operator", isValid: true, command },
    ]);
    await api.ask("POST", `/tokens/${leaked.tokenId}/revoke`, {});
    expect((await checkOne(leaked.token)).tokens).toMatchObject([{ isValid: false, command: null }]);
  });

  it("what its issuer calls a version, where that has a form of its own: no secret, and told as none", async () => {
    const ref = await adopted(api);
    const handle = `AKIA${randomBytes(8).toString("hex").toUpperCase()}`;
    await sql`UPDATE versions SET handle = ${handle} WHERE handle LIKE '%' || (
      SELECT c.id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${ref}) || '%'`.execute(
      db(),
    );
    const { catalog } = api.deps;
    const [issuer] = Object.values(catalog.issuers);
    if (issuer === undefined) throw new Error("no issuer");
    const keyed = { ...issuer, handlesIn: (text: string) => text.match(/\bAKIA[A-Z0-9]+\b/g) ?? [] };
    const deps = { ...api.deps, catalog: { ...catalog, issuers: { [issuer.kind]: keyed } } };
    const call = { actor: "tok_test", scope: "everything" as const };
    const ask = async (value: string) => leakHandlers.checkLeaks({ body: { values: [value] }, ...call }, deps);
    expect((await ask(`aws_access_key_id = ${handle}`)).answers).toMatchObject([
      { state: "known", versions: [{ credential: ref, version: 1, by: "handle", life: "alive" }] },
    ]);
    const secret = newSecret();
    await setVersion(api, ref, 1, secret);
    expect((await ask(`${handle}:${secret}`)).answers).toMatchObject([{ versions: [{ by: "value" }] }]);
  });

  it("that a value was hidden by whoever reported it, and nothing was compared", async () => {
    const states = (await check(["REDACTED", "***", " [redacted] ", "redacted-not"])).map(({ state }) => state);
    expect(states).toEqual(["redacted", "redacted", "redacted", "unknown"]);
  });

  it("which versions no comparison can find, because nobody has given their value", async () => {
    const ref = await adopted(api);
    const { json } = await responder.ask("POST", "/leaks/check", { values: ["none"] });
    const { count, versions } = json["notCompared"] as { count: number; versions: unknown[] };
    expect(count).toBeGreaterThan(0);
    expect(versions.length).toBeLessThanOrEqual(10);
    await sql`UPDATE versions SET fingerprint = 'key_test:00' WHERE fingerprint IS NULL`.execute(db());
    await sql`
      UPDATE versions v SET fingerprint = NULL FROM credentials c JOIN teams t ON t.id = c.team_id
      WHERE c.id = v.credential_id AND t.name || '/' || c.name = ${ref}`.execute(db());
    const only = (await responder.ask("POST", "/leaks/check", { values: ["none"] })).json["notCompared"];
    expect(only).toMatchObject({ count: 1, versions: [{ credential: ref, version: 1 }] });
  });
});
