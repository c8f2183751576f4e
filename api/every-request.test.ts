import { beforeAll, describe, expect, it } from "vitest";
import { newId } from "../ledger/new-id.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { everyRequestWith } from "../test/harness/every-request.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { askLeast, type Least } from "../test/harness/least-requests.ts";
import type { Route } from "./route.ts";
import { routes, type RouteName } from "./route-table.ts";

const routeNames = Object.keys(routes) as RouteName[];

let api: TestApi;
beforeAll(async () => {
  api = await withApi(await withLedger());
});

/** What a schema says that refuses a request, before anything looks for what it names. */
const refusal = /^(?:What was sent|The name in the address|The (?:field|parameter) (\w+)) (?:is|holds) /;

/** The field of ours that its own schema refuses: a number, a date, one of a few words. */
function unfit(name: RouteName, { query, body }: Least): string | undefined {
  const route: Route = routes[name];
  for (const [shape, sent] of [
    [route.query?.shape, query],
    [route.body?.shape, body],
  ] as const)
    for (const [field, value] of Object.entries(sent ?? {}))
      if (shape?.[field]?.safeParse(value).success !== true) return field;
  return undefined;
}

describe("the requests that tests ask every route", () => {
  it("are whole: who may is refused by a schema only for the word itself, where no word is taken", async () => {
    for (const name of routeNames) {
      // One token a route: so many requests of one are too many for a minute.
      const admin = await api.as("admin");
      for (const word of ["orders", newId("rotation")])
        for (const asked of [{}, ...everyRequestWith(name, word)]) {
          const { status, json } = await askLeast(admin, name, asked);
          const refused = status === 400 ? refusal.exec(String(json["detail"])) : null;
          expect([name, asked, refused?.[1] ?? refused?.[0]]).toEqual([name, asked, unfit(name, asked)]);
        }
    }
  });
});
