import { expect, it } from "vitest";
import { init } from "./init.ts";

const found = {
  seen: [],
  findings: [],
  steps: [],
  connection: {},
  credential: {},
  evidence: { sessions: { database: "orders", networks: ["10.1.0.7"], instances: 1 } },
  username: "orders",
};

async function kindsFor(consumer: object): Promise<readonly unknown[]> {
  const ability = { questionSchema: { parse: (one: unknown) => one }, inspect: () => Promise.resolve(found) };
  const deps = { catalog: { issuers: { "postgres-role": { init: ability } } } };
  const given = { issuer: "postgres-role", question: {}, team: "main", environment: "test", name: "orders" };
  const check = { arguments: { ...given, ...consumer } };
  const answer = await init({ deps, check, context: {}, secret: {} } as never);
  const { manifests } = (answer as unknown as { result: { manifests: readonly { kind: string }[] } }).result;
  return manifests.map(({ kind }) => kind);
}

it("makes the manifest of a consumer only for a file that was named, so that none points nowhere", async () => {
  const others = ["Team", "Environment", "Connection", "Credential"];
  expect(await kindsFor({})).toEqual(others);
  const consumer = { kind: "file", config: { path: "/srv/orders/app.env" } };
  expect(await kindsFor({ consumer })).toEqual([...others, "Consumer"]);
});
