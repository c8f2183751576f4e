import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { adopted, register } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import {
  allow,
  approve,
  ask,
  askedFor,
  clusteredCatalog,
  grantFor,
  placeAskedFor,
} from "../test/harness/asking-teams.ts";
import { withLedger } from "../test/harness/ledger.ts";

let api: TestApi;
let alder: TestApi;
let birch: TestApi;
let birchToo: TestApi;

const db = () => api.deps.ledger.db;
const teamToken = async (name: string) =>
  api.as("team", (await sql<{ id: string }>`SELECT id FROM teams WHERE name = ${name}`.execute(db())).rows[0]?.id);
/** The mistakes in an answer. */
const issues = async (who: TestApi, text: string) => JSON.stringify((await ask(who, text, true)).json["issues"]);

beforeAll(async () => {
  api = await withApi(await withLedger(), clusteredCatalog);
  await adopted(api, "orders", "alder");
  await adopted(api, "payments", "birch");
  await adopted(api, "orders", "cedar");
  await allow(api, "{ alder: [web], birch: [web], cedar: [back] }");
  [alder, birch, birchToo] = [await teamToken("alder"), await teamToken("birch"), await teamToken("birch")];
});

describe("what a team asks for tells it nothing of another team's", () => {
  it("credentials: one that is there, and one that is not, near to a name or far from it", async () => {
    const answers = await Promise.all(
      ["birch/payments", "birch/paymnets", "nobody/payments", "birch/xyzzyxyzzyx"].map((credential) =>
        issues(alder, askedFor({ credential })),
      ),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain("names no credential that exists");
  });

  it("connections: absent, of another kind, or not for this team, are one answer", async () => {
    const answers = await Promise.all(
      [
        { connection: "birch/main" },
        { connection: "birch/none" },
        { connection: "platform/clustr" },
        { connection: "platform/cluster", space: "back" },
      ].map((more) => issues(alder, askedFor(more))),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain("lets yours use such a place");
  });

  it("places: a key that another team's consumer writes is asked for as a free one is", async () => {
    const web = placeAskedFor;
    const [taken, free] = [
      await ask(alder, web("/srv/birch.env"), true),
      await ask(alder, web("/srv/bir-h.env"), true),
    ];
    expect(taken.status).toBe(200);
    const settled = (text: string) => text.replaceAll(/[0-9a-f]{64}/g, "").replaceAll("bir-h", "birch");
    expect(settled(taken.text)).toBe(settled(free.text));
    // Its own it is told of.
    expect(await issues(alder, placeAskedFor("/srv/alder.env"))).toContain("consumer alder/web of credential");
  });

  it("consumers: a name that another team's consumer has is told to the credential's owner alone", async () => {
    await api.ask("POST", "/credentials/birch%2Fpayments/share", { team: "alder" });
    const grant = await grantFor(alder, askedFor({ name: "web", credential: "birch/payments" }));
    const answer = await approve(birch, grant);
    expect([answer.status, answer.json["detail"]]).toEqual([
      409,
      expect.stringContaining("consumer birch/web already"),
    ]);
    expect((await alder.ask("GET", `/grants/${grant.id}`)).json).toMatchObject({ state: "pending", reason: "" });
  });
});

describe("a credential that its owner shares", () => {
  const list = async (who: TestApi) => (await who.ask("GET", "/credentials")).text;

  it("is seen by name by that team until it is taken back, with nothing else of it", async () => {
    await api.ask("POST", "/credentials/birch%2Fpayments/unshare", { team: "alder" });
    const before = await alder.ask("GET", "/credentials/birch%2Fpayments");
    expect(before.status).toBe(404);
    expect((await birch.ask("POST", "/credentials/payments/share", { team: "alder" })).status).toBe(200);
    const { json } = await alder.ask("GET", "/credentials/birch%2Fpayments");
    expect(json).toMatchObject({ isShared: true, connection: null, consumerList: [], sharedWith: [], versions: [] });
    expect((await birch.ask("GET", "/credentials/payments")).json).toMatchObject({ sharedWith: ["alder"] });
    expect((await birch.ask("POST", "/credentials/payments/unshare", { team: "alder" })).status).toBe(200);
    expect((await alder.ask("GET", "/credentials/birch%2Fpayments")).json).toEqual(before.json);
    expect(await list(alder)).not.toContain("payments");
  });

  it("is shared by its owner and operators alone, and by an operator only with a team that there is", async () => {
    await birch.ask("POST", "/credentials/payments/share", { team: "alder" });
    const passed = await alder.ask("POST", "/credentials/birch%2Fpayments/share", { team: "cedar" });
    expect(passed.json["code"]).toBe("forbidden");
    const none = await api.ask("POST", "/credentials/birch%2Fpayments/share", { team: "nobody" });
    expect([none.status, none.json["detail"]]).toEqual([404, expect.stringContaining("rekey export team")]);
    expect(await list(await teamToken("cedar"))).not.toContain("payments");
  });

  it("is told nothing of which teams there are by sharing what is its own", async () => {
    const share = async (verb: string, team: string) =>
      (await alder.ask("POST", `/credentials/orders/${verb}`, { team })).text.replaceAll(team, "it");
    const shown = async (team: string) =>
      (await alder.ask("GET", "/credentials/orders")).text.replaceAll(`"${team}"`, '"it"');
    const told: string[][] = [];
    for (const team of ["birch", "nobody"])
      told.push([await share("share", team), await shown(team), await share("unshare", team), await shown(team)]);
    expect(told[0]).toEqual(told[1]);
    expect(told[0]?.[1]).toContain('"sharedWith":["it"]');
  });

  it("does not come to a team that is made later under the name it was shared with", async () => {
    await birch.ask("POST", "/credentials/payments/share", { team: "spruce" });
    await register(api, "apiVersion: rekey/v1\nkind: Team\nmetadata: { name: spruce }\nspec: {}\n");
    expect(await list(await teamToken("spruce"))).not.toContain("payments");
  });

  it("gets a consumer of that team when its own team says so, and neither by the asking team nor after the share ended", async () => {
    await birch.ask("POST", "/credentials/payments/share", { team: "alder" });
    const grant = await grantFor(alder, askedFor({ name: "reads", secret: "reads", credential: "birch/payments" }));
    const alderToo = await teamToken("alder");
    expect((await approve(alderToo, grant)).json["code"]).toBe("forbidden");
    expect((await alder.ask("POST", `/grants/${grant.id}/refuse`, { reason: "no" })).json["code"]).toBe("forbidden");
    expect((await birch.ask("POST", `/grants/${grant.id}/withdraw`)).json["code"]).toBe("forbidden");
    await birch.ask("POST", "/credentials/payments/unshare", { team: "alder" });
    const late = await approve(birch, grant);
    expect(late.json["detail"]).toContain("names no credential that exists");
    expect((await alder.ask("GET", `/grants/${grant.id}`)).json).toMatchObject({ state: "outdated", decidedBy: "" });

    await birch.ask("POST", "/credentials/payments/share", { team: "alder" });
    const again = await grantFor(alder, askedFor({ name: "reads", secret: "reads", credential: "birch/payments" }));
    expect((await birch.ask("GET", `/grants/${again.id}`)).json).toMatchObject({
      isOwner: true,
      requestedBy: alder.tokenId,
    });
    expect((await approve(birchToo, again)).status).toBe(200);
    expect((await alder.ask("GET", "/consumers/reads")).json).toMatchObject({ credential: "birch/payments" });
    // Who has a consumer there sees it whether it is shared or not.
    await birch.ask("POST", "/credentials/payments/unshare", { team: "alder" });
    expect((await alder.ask("GET", "/credentials/birch%2Fpayments")).json).toMatchObject({ isShared: true });
  });

  it("of what nobody else may see, a third team sees no grant", async () => {
    const cedar = await teamToken("cedar");
    const { json } = await birch.ask("GET", "/grants");
    const ids = (json["grants"] as { id: string }[]).map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(1);
    const none = "grt_00000000000000000000000000";
    for (const id of ids)
      for (const [verb, body] of [
        ["", undefined],
        ["/approve", { digest: "0".repeat(64) }],
        ["/refuse", { reason: "no" }],
        ["/withdraw", undefined],
      ] as const) {
        const method = verb === "" ? "GET" : "POST";
        const answers = [id, none].map(async (one) => (await cedar.ask(method, `/grants/${one}${verb}`, body)).text);
        const [real, madeUp] = await Promise.all(answers);
        expect(real).toBe(madeUp);
      }
    expect((await cedar.ask("GET", "/grants")).json).toEqual({ grants: [] });
  });
});
