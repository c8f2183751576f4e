import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { applyText, type AppliedItem } from "../test/harness/apply-text.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, everything, team } from "../test/harness/manifests.ts";
import type { ManifestKind } from "./schemas.ts";
import { exportManifests } from "./export.ts";

const newApi = async () => withApi(await withLedger());
const newSecret = () => randomBytes(12).toString("hex");

async function exported(api: TestApi, kind?: ManifestKind, name?: string): Promise<string> {
  return (await exportManifests(api.deps, { kind, name })).map(({ text }) => text).join("---\n");
}

const actions = (items: readonly AppliedItem[]) => [...new Set(items.map(({ action }) => action))];

/** What is exported is unchanged where it comes from, and makes the same where nothing is. */
async function expectRoundTrip(from: TestApi, count: number): Promise<void> {
  const text = await exported(from);
  const again = await applyText(from, text);
  expect(again).toHaveLength(count);
  expect(actions(again)).toEqual(["unchanged"]);
  const elsewhere = await newApi();
  expect(actions(await applyText(elsewhere, text))).toEqual(["create"]);
  const unsaid = (of: string) => of.replaceAll(/^ {2}# .*:$/gm, "  # …");
  expect(unsaid(await exported(elsewhere))).toBe(unsaid(text));
  await elsewhere.app.close();
}

/** One of each kind, with other names, numbers and texts than the ones that are usual. */
const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const login = fc.string({ minLength: 1, maxLength: 12, unit: "grapheme" }).filter((one) => !one.includes("\0"));
const generated = fc.record({
  names: fc.uniqueArray(name, { minLength: 6, maxLength: 6 }),
  logins: fc.uniqueArray(login, { minLength: 2, maxLength: 3 }),
  contact: fc.string({ maxLength: 20, unit: "grapheme" }),
  grace: fc.integer({ min: 0, max: 86_400_000 }),
  attempts: fc.integer({ min: 1, max: 100 }),
  wanted: fc.option(fc.constantFrom("attested", "observed"), { nil: undefined }),
  instances: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
  labels: fc.dictionary(fc.stringMatching(/^[a-z]([a-z.-]{0,5}[a-z])?$/), fc.stringMatching(/^([0-9a-z]{1,6})?$/), {
    maxKeys: 3,
  }),
  annotation: fc.string({ maxLength: 30, unit: "grapheme" }).filter((one) => !one.includes("\0")),
  criticality: fc.option(fc.constantFrom("low", "critical"), { nil: undefined }),
  readers: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 3 }),
  isNamed: fc.boolean(),
  key: fc.string({ minLength: 1, maxLength: 8 }).filter((one) => one !== "__proto__"),
});

type Generated = typeof generated extends fc.Arbitrary<infer T> ? T : never;

/** JSON is YAML. */
function manifestsOf(given: Generated): string {
  const { names, logins, contact, grace, attempts, wanted, instances, port, key, labels, readers, criticality } = given;
  const [ownTeam = "", environment = "", connection = "", credential = "", consumer = "", policy = ""] = names;
  const rules = { grace: `${grace}ms`, attempts, evidence: wanted };
  const annotations = { "example.com/note": given.annotation };
  const place = { team: ownTeam, environment };
  const [admin = "", ...others] = logins;
  const envelopes = [
    { kind: "Team", metadata: { name: ownTeam }, spec: { contact } },
    { kind: "Environment", metadata: { name: environment, labels, annotations } },
    { kind: "Policy", metadata: { name: policy, team: ownTeam, labels }, spec: rules },
    {
      kind: "Connection",
      metadata: { name: connection, ...place },
      spec: { kind: "fake-db", config: { host: contact === "" ? "db" : contact, user: admin, port } },
    },
    {
      kind: "Credential",
      metadata: { name: credential, ...place, labels, annotations },
      spec: {
        connection,
        config: { logins: others },
        policy: given.isNamed ? policy : rules,
        owner: ownTeam,
        criticality,
        readers,
        expiresAt: "2027-03-31",
      },
    },
    {
      kind: "Consumer",
      metadata: { name: consumer, team: ownTeam, labels },
      spec: {
        credential,
        kind: "fake-place",
        config: { path: `/${contact}`, keys: { [key]: "password" } },
        evidence: { wanted, ...(instances === undefined ? {} : { watch: { instances } }) },
      },
    },
  ];
  return envelopes.map((one) => JSON.stringify({ apiVersion: "rekey/v1", ...one })).join("\n---\n");
}

describe("exported manifests", () => {
  it("are unchanged on the same ledger and make the same on an empty one, without a secret", async () => {
    const api = await newApi();
    const secret = newSecret();
    await applyText(api, everything, { [connectionIndex]: secret });
    const others = everything.replaceAll("shop", "press").replaceAll("prod", "test").replace("/srv/web", "/srv/press");
    await applyText(api, others.replace("main", "other").replace("connection: main", "connection: other"), {
      [connectionIndex]: newSecret(),
    });
    await expectRoundTrip(api, 10);
    const text = await exported(api);
    expect(text).not.toContain(secret);
    expect(text).toContain("  # secretFrom: { file: PATH }");
    await api.app.close();
  });

  it("do so whatever is registered", async () => {
    await fc.assert(
      fc.asyncProperty(generated, async (given) => {
        const api = await newApi();
        expect(actions(await applyText(api, manifestsOf(given)))).toEqual(["create"]);
        await expectRoundTrip(api, 6);
        await api.app.close();
      }),
      { numRuns: 6 },
    );
  });

  it("come in the order in which they are applied, by name, and the same each time", async () => {
    const api = await newApi();
    for (const one of ["shop", "anvil", "zebra"]) await applyText(api, team.replace("name: shop", `name: ${one}`));
    await applyText(api, everything, { [connectionIndex]: newSecret() });
    const refs = (await exportManifests(api.deps)).map(({ ref }) => ref);
    expect(refs).toEqual([
      "Team anvil",
      "Team shop",
      "Team zebra",
      "Environment prod",
      "Connection shop/main",
      "Credential shop/orders",
      "Consumer shop/web",
    ]);
    expect(await exported(api)).toBe(await exported(api));
    expect(await exported(api, "Credential")).toMatch(/^apiVersion: rekey\/v1\nkind: Credential\n/);
    expect(await exported(api, "Team", "anvil")).toContain("name: anvil");
    await api.app.close();
  });

  it("of a kind or name that there is not are refused with the one that was probably meant", async () => {
    const api = await newApi();
    await applyText(api, everything, { [connectionIndex]: newSecret() });
    const ask = (query: string) => api.ask("GET", `/manifests?${query}`);
    expect((await ask("kind=Consumers")).json["manifests"]).toHaveLength(1);
    expect((await ask("kind=credental")).json).toMatchObject({
      code: "request_invalid",
      detail: expect.stringContaining("Did you mean credential?"),
    });
    const wrong = await ask("kind=credential&name=shop/ordrs");
    expect(wrong.status).toBe(404);
    expect(wrong.json["detail"]).toBe("There is no such credential. Did you mean shop/orders?");
    await api.app.close();
  });
});
