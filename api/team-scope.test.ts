import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { idPrefixes } from "../domain/ids.ts";
import { transact } from "../ledger/database.ts";
import { requestCheck } from "../ledger/checks.ts";
import { recordProposals } from "../ledger/proposals.ts";
import { newId } from "../ledger/new-id.ts";
import { adopted, holdRotations, register } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { everyRequestWith, settled } from "../test/harness/every-request.ts";
import { askLeast } from "../test/harness/least-requests.ts";
import { allow, askedFor, clusteredCatalog, grantFor, type Grant } from "../test/harness/asking-teams.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { consumer } from "../test/harness/manifests.ts";
import { mayCall } from "./access-table.ts";
import { routes, type RouteName } from "./route-table.ts";

const routeNames = Object.keys(routes) as RouteName[];

/** Each word by a new token of the team: so many requests of one are too many for a minute. */
async function everyAnswer(team: TestApi, words: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>();
  for (const word of words) {
    const asking = await team.as("team", await teamId("alder"));
    for (const name of routeNames)
      for (const asked of everyRequestWith(name, word)) {
        const { status, text } = await askLeast(asking, name, asked);
        answers.set(JSON.stringify({ name, ...asked }), `${status} ${settled(text)}`);
      }
  }
  return answers;
}

let api: TestApi;
let alder: TestApi;
let birch: TestApi;
/** Of team birch: what it has, by id. */
let idsOfBirch: readonly string[];
let before: ReadonlyMap<string, string>;
let after: ReadonlyMap<string, string>;
/** That alder asks for. */
let grant: Grant;
let orders: { readonly rotation: string; readonly web: string };

const db = () => api.deps.ledger.db;
const teamId = async (name: string) =>
  (await sql<{ id: string }>`SELECT id FROM teams WHERE name = ${name}`.execute(db())).rows[0]?.id ?? "";
const rotate = async (ref: string) =>
  String((await api.ask("POST", `/credentials/${encodeURIComponent(ref)}/rotate`, {})).json["id"]);

/** Names of the other team, some of them cut short or misspelt, as somebody types who looks for them. */
const wordsOfBirch = [
  "birch",
  "payments",
  "birch/payments",
  "birch/paymnets",
  "birch/web",
  "birch/hook",
  "alder/of-all",
  "birch/main",
  "beech/orders",
];
/** Names that the first team has too: with one other they were ambiguous. */
const wordsOfBoth = ["orders", "web", "hook", "alder/orders", "alder/web"];

/** The ids of all rows that team birch has by now, whatever they are. */
async function readIdsOfBirch(): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    WITH mine AS (SELECT id FROM credentials WHERE team_id = ${await teamId("birch")})
    SELECT id FROM teams WHERE name = 'birch' UNION ALL SELECT id FROM mine
    UNION ALL SELECT id FROM connections WHERE team_id = ${await teamId("birch")}
    UNION ALL SELECT id FROM freezes WHERE team_id = ${await teamId("birch")}
    UNION ALL SELECT id FROM notices WHERE team_id = ${await teamId("birch")}
    UNION ALL SELECT id FROM checks WHERE subject_id IN (SELECT id FROM notices WHERE team_id = ${await teamId("birch")})
    UNION ALL SELECT id FROM tokens WHERE team_id = ${await teamId("birch")}
    UNION ALL SELECT id FROM consumers WHERE credential_id IN (SELECT id FROM mine)
    UNION ALL SELECT id FROM versions WHERE credential_id IN (SELECT id FROM mine)
    UNION ALL SELECT id FROM grants WHERE team_id = ${await teamId("birch")}
    UNION ALL SELECT id FROM rotations WHERE credential_id IN (SELECT id FROM mine)
    UNION ALL SELECT h.id FROM holds h JOIN rotations r ON r.id = h.rotation_id WHERE r.credential_id IN (SELECT id FROM mine)
    UNION ALL SELECT id FROM emergencies WHERE credential_id IN (SELECT id FROM mine)
    UNION ALL SELECT id FROM proposals WHERE credential_id IN (SELECT id FROM mine)
    UNION ALL SELECT id FROM checks WHERE subject_id IN (SELECT n.id FROM consumers n JOIN mine m ON m.id = n.credential_id)`.execute(
    db(),
  );
  return rows.map(({ id }) => id);
}

/** Somebody is seen on every credential of a team who is no registered consumer of it. */
const seeStrangers = async (name: string) => {
  const { rows } = await sql<{ id: string }>`SELECT id FROM credentials WHERE team_id = ${await teamId(name)}`.execute(
    db(),
  );
  const client = {
    principal: "somebody",
    database: "orders",
    address: `stranger-of-${name}`,
    applicationName: "report",
  };
  for (const { id } of rows) await recordProposals(api.deps.ledger, { credentialId: id }, [client]);
};

/** A day ahead, so that nothing of it depends on when it is asked. */
const makeDue = async () =>
  sql`
    UPDATE credentials SET due_at = date_trunc('day', clock_timestamp()) + interval '2 days',
      due_because = 'because-of-' || (SELECT name FROM teams WHERE id = team_id) WHERE due_at IS NULL`.execute(db());

/** A rotation of the same credential that has been closed. */
async function closedBeside(rotation: string): Promise<string> {
  const id = newId("rotation");
  await sql`
    INSERT INTO rotations (id, credential_id, rotation_order, phase, outcome, closed_at, to_version, policy, pinned, requested_by)
    SELECT ${id}, credential_id, rotation_order, 'closed', 'undone', clock_timestamp(), to_version, policy, pinned, requested_by
    FROM rotations WHERE id = ${rotation}`.execute(db());
  return id;
}

const test = async (team: TestApi, ref: string) => team.ask("POST", `/consumers/${encodeURIComponent(ref)}/test`, {});

const registerHook = async (team: string, name: string, more = {}) => {
  const spec = { format: "webhook", url: `https://${team}.example.com/`, ...more };
  await register(api, JSON.stringify({ apiVersion: "rekey/v1", kind: "Notice", metadata: { name, team }, spec }));
};

beforeAll(async () => {
  api = await withApi(await withLedger(), clusteredCatalog);
  await adopted(api, "orders", "alder");
  await allow(api, "{ alder: [web], birch: [web] }");
  alder = await api.as("team", await teamId("alder"));
  grant = await grantFor(alder, askedFor());
  const rotation = await rotate("alder/orders");
  // Begun: how long one waits to be is told by the clock.
  await sql`DELETE FROM starts`.execute(db());
  const { rows } = await sql<{ id: string }>`SELECT id FROM consumers`.execute(db());
  orders = { rotation, web: rows[0]?.id ?? "" };
  await makeDue();
  await seeStrangers("alder");
  await registerHook("alder", "hook");
  // It hears of everybody, so that not even its own team's token sees it.
  await registerHook("alder", "of-all", { of: "all" });
  before = await everyAnswer(alder, [...wordsOfBirch, ...wordsOfBoth]);

  await adopted(api, "payments", "birch");
  await adopted(api, "orders", "beech");
  birch = await api.as("team", await teamId("birch"));
  await holdRotations(api, await rotate("birch/payments"));
  await test(birch, "birch/web");
  await grantFor(birch, askedFor({ team: "birch", credential: "payments", secret: "payments" }));
  await birch.ask("POST", "/credentials/payments/share", { team: "beech" });
  await rotate("beech/orders");
  await registerHook("birch", "hook");
  await birch.ask("POST", "/notices/hook/test", {});
  await makeDue();
  await seeStrangers("birch");
  const freeze = { reason: "sale of birch", until: "2099-01-01T00:00:00Z" };
  await api.ask("POST", "/freezes", { ...freeze, team: "birch" });
  after = await everyAnswer(alder, [...wordsOfBirch, ...wordsOfBoth]);
  idsOfBirch = await readIdsOfBirch();
});

describe("a team's token", () => {
  it("gets the same answer to every name of another team, on every route, as before that team was there", () => {
    expect(before.size).toBeGreaterThan(300);
    for (const [asked, answer] of before) expect([asked, after.get(asked)]).toEqual([asked, answer]);
  });

  it("gets the same answer to every id of another team, on every route, as to one that nothing has", async () => {
    const kinds = new Set(idsOfBirch.map((id) => id.split("_", 1).join("")));
    expect(kinds).toEqual(
      new Set(["chk", "cns", "con", "crd", "frz", "grt", "hld", "ntc", "prp", "rot", "tm", "tok", "ver"]),
    );
    for (const id of idsOfBirch) {
      const kind = Object.entries(idPrefixes).find(([, prefix]) => id.startsWith(`${prefix}_`))?.[0];
      const none = newId(kind as keyof typeof idPrefixes);
      const [real, madeUp] = [await everyAnswer(alder, [id]), await everyAnswer(alder, [none])];
      expect([...real].map(([asked, answer]) => [asked.replace(id, none), answer.replaceAll(id, none)])).toEqual([
        ...madeUp,
      ]);
    }
  });

  it("gets lists of its own alone, in which nothing of another team is named or counted", async () => {
    const lists = [
      "/credentials",
      "/consumers",
      "/rotations",
      "/rotations?open=true",
      "/calendar",
      "/proposals",
      "/notices",
      "/grants",
    ];
    const texts = await Promise.all(lists.map(async (path) => (await alder.ask("GET", path)).text));
    for (const text of texts) {
      expect(text).toContain("alder");
      for (const word of ["birch", "payments", "beech", "of-all", ...idsOfBirch]) expect(text).not.toContain(word);
    }
    const { json } = await birch.ask("GET", "/credentials");
    expect(json["credentials"]).toMatchObject([{ team: "birch", name: "payments", consumers: 1, isShared: false }]);
  });

  it("touches nothing of another team", async () => {
    const checks = async () =>
      (
        await sql<{ n: number }>`SELECT count(*) AS n FROM checks WHERE subject_id = ANY(${[...idsOfBirch]})`.execute(
          db(),
        )
      ).rows[0]?.n;
    const count = await checks();
    for (const id of idsOfBirch) {
      const asking = await api.as("team", await teamId("alder"));
      for (const name of routeNames)
        if (routes[name].method === "POST")
          for (const asked of everyRequestWith(name, id)) await askLeast(asking, name, asked);
    }
    expect(await checks()).toBe(count);
    expect((await test(birch, "birch/web")).status).toBe(200);
    expect(await checks()).toBe((count ?? 0) + 1);
  });

  it("works with what is its own, on every route that its role may call", async () => {
    const { json: proposals } = await alder.ask("GET", "/proposals");
    const [proposal] = proposals["proposals"] as readonly { readonly id: string }[];
    const named: Partial<Record<RouteName, string>> = {
      showCredential: "alder/orders",
      planRotation: "orders",
      showConsumer: "web",
      testConsumer: orders.web,
      showProposal: proposal?.id ?? "",
      dismissProposal: proposal?.id ?? "",
      showNotice: "hook",
      listNoticeDeliveries: "alder/hook",
      testNotice: "hook",
      showRotation: orders.rotation,
      requestReceipt: await closedBeside(orders.rotation),
      showCheck: String((await test(alder, "web")).json["checkId"]),
      retireConsumer: "web",
      acknowledgeConsumer: "web",
      shareCredential: "orders",
      unshareCredential: "orders",
      showGrant: grant.id,
      approveGrant: grant.id,
      refuseGrant: (await grantFor(alder, askedFor({ name: "refused", secret: "refused" }))).id,
      withdrawGrant: (await grantFor(alder, askedFor({ name: "withdrawn", secret: "withdrawn" }))).id,
    };
    const bodies: Partial<Record<RouteName, object>> = {
      registerConsumer: { files: [{ name: "asked.yaml", text: askedFor({ name: "new", secret: "new" }) }] },
      acknowledgeConsumer: { version: 2 },
      approveGrant: { digest: grant.digest },
    };
    const alderToo = await api.as("team", await teamId("alder"));
    for (const name of routeNames.filter((one) => mayCall("team", one))) {
      if (name === "acknowledgeConsumer")
        await sql`
      INSERT INTO deliveries (id, rotation_id, consumer_id, target, version, epoch, number, sequence)
      SELECT 'dlv_web', ${orders.rotation}, id, target, 2, 1, 1, nextval('ledger_sequence') FROM consumers
      WHERE id = ${orders.web}`.execute(db());
      const who = name === "approveGrant" ? alderToo : alder;
      const { status } = await askLeast(who, name, { named: named[name] ?? "none", body: bodies[name] });
      expect([name, status]).toEqual([name, 200]);
    }
    expect((await alder.ask("GET", `/rotations/${orders.rotation}`)).json).toMatchObject({
      isShared: false,
      requestedBy: api.tokenId,
      consumers: [{ ref: "alder/pods" }, { id: orders.web }],
    });
  });
});

describe("a team whose consumer runs on another team's credential", () => {
  const marks = [
    "because-of-alder",
    "10.9.9.9",
    "tier-of-alder",
    "/srv/alder.env",
    "orders_a",
    "alder/main",
    "stranger_seen",
    "alder/web",
    "stranger-of-alder",
  ];
  const till = consumer
    .replace("web, team: shop", "till, team: birch")
    .replace("credential: orders", "credential: alder/orders")
    .replace("/srv/web.env", "/srv/till.env");

  beforeAll(async () => {
    await register(api, till);
    await holdRotations(api, orders.rotation);
    await sql`
      INSERT INTO object_metadata (object_id, labels, annotations)
      SELECT id, '{"tier": "tier-of-alder"}', '{"note": "tier-of-alder"}' FROM credentials
      WHERE name = 'orders' AND team_id = ${await teamId("alder")}`.execute(db());
    await sql`
      INSERT INTO evidence (rotation_id, consumer_id, version, source, strength, complete, instances, lacks)
      SELECT ${orders.rotation}, id, 2, 'watch', 'observed', false, 0, '["Address 10.9.9.9 is still on version 1."]'
      FROM consumers WHERE name = 'till'`.execute(db());
  });

  const paths = [
    "/credentials",
    "/credentials/alder%2Forders",
    "/rotations",
    "/consumers",
    "/consumers/till",
    "/calendar",
    "/proposals?settled=true",
  ];
  const all = async (team: TestApi) => {
    const answers = [...paths, `/rotations/${orders.rotation}`].map(async (path) => team.ask("GET", path));
    return (await Promise.all(answers)).map(({ text }) => text).join("\n");
  };

  it("sees its name, its phase and its own consumers, and of nobody else's anything", async () => {
    const text = await all(birch);
    for (const mark of [...marks, orders.web]) expect([mark, text.includes(mark)]).toEqual([mark, false]);
    const { json: credential } = await birch.ask("GET", "/credentials/alder%2Forders");
    expect(credential).toMatchObject({
      isShared: true,
      consumers: 1,
      connection: null,
      labels: {},
      openRotation: { id: orders.rotation, phase: "delivered", hold: null },
      consumerList: [{ ref: "birch/till" }],
    });
    const { json: rotation } = await birch.ask("GET", `/rotations/${orders.rotation}`);
    expect(rotation).toMatchObject({
      isShared: true,
      phase: "delivered",
      hold: null,
      openHold: null,
      commands: [],
      requestedBy: "",
    });
    expect(rotation["consumers"]).toMatchObject([{ ref: "birch/till", evidence: [{ complete: false, lacks: [] }] }]);
  });

  it("is seen by the credential's owner with all of it", async () => {
    const text = (await all(alder)) + (await alder.ask("GET", "/consumers/birch%2Ftill")).text;
    for (const mark of marks) expect([mark, text.includes(mark)]).toEqual([mark, true]);
    expect((await alder.ask("GET", "/credentials/orders")).json["consumerList"]).toHaveLength(3);
  });

  it("gets no receipt of it, and not the check in which its owner's is signed", async () => {
    const rotation = await closedBeside(orders.rotation);
    const asked = await birch.ask("POST", `/rotations/${rotation}/receipt`, {});
    expect([asked.status, asked.json["code"]]).toEqual([403, "forbidden"]);
    const { json } = await alder.ask("POST", `/rotations/${rotation}/receipt`, {});
    const seen = async (team: TestApi) => (await team.ask("GET", `/checks/${String(json["checkId"])}`)).status;
    expect([await seen(alder), await seen(birch), await seen(api)]).toEqual([200, 404, 200]);
  });

  it("finds it by no label, for labels are its owner's words", async () => {
    const found = async (team: TestApi, labels: string) =>
      (await team.ask("GET", `/credentials?labels=${encodeURIComponent(labels)}`)).text.includes("alder");
    expect([await found(alder, "tier=tier-of-alder"), await found(birch, "tier=tier-of-alder")]).toEqual([true, false]);
    expect([await found(birch, "!tier"), await found(birch, "tier")]).toEqual([true, false]);
  });

  it("gets no plan of it, and cannot have another's consumer tested; neither can its owner", async () => {
    const plan = await birch.ask("GET", "/credentials/alder%2Forders/plan");
    expect([plan.status, plan.json["code"]]).toEqual([403, "forbidden"]);
    expect((await test(birch, "alder/web")).json).toEqual((await test(birch, "alder/wob")).json);
    expect((await test(alder, "birch/till")).json).toMatchObject({ code: "forbidden" });
  });

  it("gets what a look at its own consumer has seen, where the look kept to that", async () => {
    const own = String((await test(birch, "till")).json["checkId"]);
    const { rows } = await sql<{ id: string; arguments: unknown }>`
      SELECT id, arguments FROM checks WHERE id = ${own}`.execute(db());
    expect(rows).toEqual([{ id: own, arguments: { onlyOwn: true } }]);
    const subjectId = (await birch.ask("GET", "/consumers/till")).json["id"] as string;
    const whole = await transact(api.deps.ledger, (trx) =>
      requestCheck(trx, { kind: "consumer-test", subjectId, requestedBy: "tok_admin" }),
    );
    const statuses = async (team: TestApi) =>
      Promise.all([own, whole].map(async (id) => (await team.ask("GET", `/checks/${id}`)).status));
    expect([await statuses(api), await statuses(birch), await statuses(alder)]).toEqual([
      [200, 200],
      [200, 404],
      [404, 404],
    ]);
  });

  it("sees nothing of it any more once that consumer is retired", async () => {
    const gone = await birch.ask("GET", "/credentials/alder%2Fnone");
    await sql`UPDATE consumers SET retired_at = clock_timestamp() WHERE name = 'till'`.execute(db());
    expect((await birch.ask("GET", "/credentials/alder%2Forders")).json).toEqual(gone.json);
    expect((await birch.ask("GET", `/rotations/${orders.rotation}`)).status).toBe(404);
    expect((await birch.ask("GET", "/credentials")).text).not.toContain("alder");
  });
});
