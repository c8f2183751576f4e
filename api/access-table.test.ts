import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { roleNames, type Role } from "../domain/role.ts";
import { newId } from "../ledger/new-id.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { askLeast } from "../test/harness/least-requests.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { access, mayCall } from "./access-table.ts";
import { newToken } from "./new-token.ts";
import { routes, type RouteName } from "./route-table.ts";

const routeNames = Object.keys(routes) as RouteName[];

let api: TestApi;
let byRole: Readonly<Record<Role, TestApi>>;
/** Of each role a token that counts no more, by what became of it. */
const former: [string, TestApi][] = [];

beforeAll(async () => {
  api = await withApi(await withLedger());
  const { db } = api.deps.ledger;
  const teamOf = async (name: string) => {
    const id = newId("team");
    await sql`INSERT INTO teams (id, name) VALUES (${id}, ${name})`.execute(db);
    return id;
  };
  const shop = await teamOf("shop");
  const as = (role: Role, team: string) => api.as(role, role === "team" ? team : undefined);
  byRole = Object.fromEntries(
    await Promise.all(roleNames.map(async (role) => [role, await as(role, shop)] as const)),
  ) as Record<Role, TestApi>;
  for (const role of roleNames) {
    const [expired, revoked] = [await as(role, shop), await as(role, shop)];
    await sql`UPDATE tokens SET expires_at = clock_timestamp() WHERE id = ${expired.tokenId}`.execute(db);
    await api.ask("POST", `/tokens/${revoked.tokenId}/revoke`, {});
    former.push([`expired ${role}`, expired], [`revoked ${role}`, revoked]);
  }
  const gone = await teamOf("gone");
  former.push(["team that was deleted", await api.as("team", gone)]);
  await sql`UPDATE teams SET retired_at = clock_timestamp() WHERE id = ${gone}`.execute(db);
});

const withAuthorization = (authorization: string): TestApi => ({
  ...api,
  ask: (method, path, body) => api.ask(method, path, body, { headers: { host: "127.0.0.1", authorization } }),
});

describe("what a role may do", () => {
  it("is said for every route, and every role that is named there exists", () => {
    expect(Object.keys(access).toSorted()).toEqual(routeNames.toSorted());
    const named = Object.values(access).flatMap((allowed) => (allowed === "everyone" ? [] : allowed));
    expect(named.filter((role) => !roleNames.includes(role))).toEqual([]);
    expect(Object.entries(access).filter(([, allowed]) => allowed === "everyone")).toEqual([["health", "everyone"]]);
  });

  it.each(roleNames)("holds for %s on every route, before anything of the request is looked at", async (role) => {
    for (const name of routeNames) {
      const { status, json } = await askLeast(byRole[role], name);
      if (mayCall(role, name)) expect([name, status === 401 || status === 403]).toEqual([name, false]);
      else {
        expect([name, status, json["code"]]).toEqual([name, 403, "forbidden"]);
        // What no schema takes changes nothing: it was not read.
        const unread = await askLeast(byRole[role], name, { body: { "": 1 }, query: { limit: "none" } });
        expect([name, unread.json]).toEqual([name, json]);
      }
    }
  });

  it("is told to whoever may not: the role, and those that may", async () => {
    const { json } = await askLeast(byRole.metrics, "reserveRotation");
    expect(json).toMatchObject({
      detail: "The role metrics may not; these may: admin, operator, responder.",
      next: expect.stringContaining("rekey token create"),
    });
  });

  it("changes nothing when it is refused: the audit trail has no new row", async () => {
    const { db } = api.deps.ledger;
    const count = async () => (await sql<{ n: number }>`SELECT count(*) AS n FROM audit`.execute(db)).rows[0]?.n;
    const before = await count();
    for (const name of routeNames) if (!mayCall("metrics", name)) await askLeast(byRole.metrics, name);
    expect(await count()).toBe(before);
  });

  it("is nothing for a role that this release does not know", async () => {
    const later = await api.as("metrics");
    await sql`UPDATE tokens SET role = 'overseer' WHERE id = ${later.tokenId}`.execute(api.deps.ledger.db);
    for (const name of routeNames) {
      const { status } = await askLeast(later, name);
      expect([name, status]).toEqual([name, name === "health" ? 200 : 403]);
    }
  });
});

describe("who counts as nobody, on every route", () => {
  it.each([
    ["no token", ""],
    ["an unknown token", `Bearer ${newToken()}`],
    ["a token that was cut", `Bearer ${newToken().slice(0, -1)}`],
    ["a token that is too long", `Bearer ${newToken()}x`],
    ["a token of other characters", `Bearer rk_${"*".repeat(43)}`],
    ["two tokens", `Bearer ${newToken()} ${newToken()}`],
    ["another scheme", `Basic ${randomBytes(32).toString("base64")}`],
  ])("%s", async (_, authorization) => {
    for (const name of routeNames) {
      const { status, json } = await askLeast(withAuthorization(authorization), name);
      if (name === "health") expect(status).toBe(200);
      else expect([name, status, json["code"]]).toEqual([name, 401, "token_refused"]);
    }
  });

  it("a token with something in front of it or in another case", async () => {
    for (const authorization of [` x Bearer ${api.token}`, `Bearer ${api.token.toUpperCase()}`])
      expect((await askLeast(withAuthorization(authorization), "listTokens")).status).toBe(401);
  });

  it("the bearer of a token that has expired, was revoked, or whose team was deleted", async () => {
    for (const [which, one] of former)
      for (const name of routeNames) {
        const { status } = await askLeast(one, name);
        expect([which, name, status]).toEqual([which, name, name === "health" ? 200 : 401]);
      }
    const said = await Promise.all(former.map(async ([, one]) => (await askLeast(one, "listTokens")).json["detail"]));
    expect(new Set(said)).toEqual(new Set(["The token has expired.", "The token was revoked."]));
  });
});
