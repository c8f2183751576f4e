import { expect, it } from "vitest";
import { withLedger } from "../../test/harness/ledger.ts";
import { init } from "./init.ts";

const { ledger } = await withLedger();

const found = {
  identity: "pg:1",
  seen: [],
  findings: [],
  steps: [],
  connection: {},
  credential: {},
  evidence: { sessions: { database: "orders", networks: ["10.1.0.7"], instances: 1 } },
  username: "orders",
};

interface Answer {
  readonly findings: readonly { readonly code: string; readonly detail: string }[];
  readonly result: {
    readonly steps: readonly unknown[];
    readonly isUnderRekey: boolean;
    readonly manifests: readonly { readonly kind: string; readonly metadata: { readonly name: string } }[];
  };
}

async function answerTo(consumer: object, seen: object = found): Promise<Answer> {
  const as = { parse: (one: unknown) => one };
  const ability = { questionSchema: as, inspect: () => Promise.resolve(seen) };
  const issuer = { init: ability, connectionSchema: as, adminPrincipalOf: () => "rekey_admin" };
  const deps = { ledger, catalog: { issuers: { "postgres-role": issuer } } };
  const given = { issuer: "postgres-role", question: {}, team: "main", environment: "test", name: "orders" };
  const check = { instance: "ins_here", arguments: { ...given, ...consumer } };
  return (await init({ deps, check, context: {}, secret: {} } as never)) as unknown as Answer;
}

const kindsFor = async (consumer: object) => (await answerTo(consumer)).result.manifests.map(({ kind }) => kind);

it("makes the manifest of a consumer only for a file that was named, so that none points nowhere", async () => {
  const others = ["Team", "Environment", "Connection", "Credential"];
  expect(await kindsFor({})).toEqual(others);
  const consumer = { kind: "file", config: { path: "/srv/orders/app.env" } };
  expect(await kindsFor({ consumer })).toEqual([...others, "Consumer"]);
});

it("names the consumer after its credential, so that two of one team never meet", async () => {
  const { result } = await answerTo({ consumer: { kind: "file", config: { path: "/srv/orders/app.env" } } });
  expect(result.manifests.find(({ kind }) => kind === "Consumer")?.metadata.name).toBe("orders-file");
});

it.each([
  ["another rekey", { instance: "ins_elsewhere", credential: "crd_1" }],
  ["a credential that was deleted here", { instance: "ins_here", credential: "crd_gone" }],
  ["one that cannot be read", undefined],
])("offers no second pair beside what carries the mark of %s", async (whose, by) => {
  const claimed = { on: "orders_a", by, mend: "COMMENT" };
  const { findings, result } = await answerTo({}, { ...found, claimed });
  expect(result).toMatchObject({ isUnderRekey: false, steps: [], manifests: [] });
  expect(findings).toMatchObject([{ code: "principal_claimed", mend: "COMMENT" }]);
  expect(findings[0]?.detail).toContain(`orders_a carries the mark of ${whose}`);
});
