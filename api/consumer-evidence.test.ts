import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { defaultPolicy } from "../domain/policy.ts";
import type { ConsumerSummary } from "../ledger/consumer-views.ts";
import { catalog } from "../providers/catalog.ts";
import { evidenceOf, explainEvidence } from "./consumer-evidence.ts";

const sessions = { database: "orders", networks: ["10.0.0.0/8"], instances: 2 };

function consumer(change: Partial<ConsumerSummary> = {}): ConsumerSummary {
  return {
    id: "con_1",
    team: "shop",
    contact: "#shop",
    name: "web",
    credential: "shop/orders",
    credentialId: "crd_1",
    environment: "prod",
    kind: "file",
    config: {},
    target: "file:/srv/web.env",
    heldVersion: 1,
    currentVersion: 1,
    evidence: { collectors: {} },
    isOwn: true,
    isCredentialOwn: true,
    policy: defaultPolicy,
    seen: [],
    ...change,
  };
}

describe("the next stronger evidence", () => {
  test("is the smallest step up, added to what is asked for already", () => {
    const none = explainEvidence(catalog, consumer());
    expect([none.canGive, none.next?.kind, none.next?.needsChange]).toEqual([["delivered"], "sessions", false]);
    const some = explainEvidence(catalog, consumer({ evidence: { wanted: "observed", collectors: { sessions } } }));
    expect([some.canGive, some.next?.kind]).toEqual([["observed", "delivered"], "challenge"]);
    expect(parse(some.next?.snippet ?? "")).toEqual({
      spec: { evidence: { wanted: "observed", sessions, challenge: catalog.collectors["challenge"]?.example } },
    });
  });

  test("is none when the strongest is asked for already", () => {
    const { example } = catalog.collectors["challenge"] ?? {};
    const { next, canGive } = explainEvidence(catalog, consumer({ evidence: { collectors: { challenge: example } } }));
    expect([next, canGive]).toEqual([null, ["attested", "delivered"]]);
  });

  test("is never what only another kind of target can show", () => {
    const kinds = explainEvidence(catalog, consumer()).offered.map(({ kind }) => kind);
    expect(kinds).toEqual(["challenge", "sessions", "target"]);
    const shown = explainEvidence(catalog, consumer({ evidence: { collectors: { platform: { instances: 1 } } } }));
    expect(shown.offered.find(({ kind }) => kind === "platform")).toMatchObject({ isCollected: true });
  });
});

test("every kind that has to be asked for has an example that its schema takes", () => {
  for (const { kind, needsInstances, example, configSchema } of Object.values(catalog.collectors))
    if (needsInstances !== true) expect(configSchema.safeParse(example).success, kind).toBe(true);
});

test("what is asked for is told with whose wish it is, the same as elsewhere", () => {
  const cases = [
    [consumer({ evidence: { wanted: "attested", collectors: {} } }), "attested", "own manifest"],
    [consumer({ policy: { ...defaultPolicy, evidence: "observed" } }), "observed", "policy"],
    [consumer({ evidence: { collectors: { sessions } } }), "observed", "without a change of the application"],
  ] as const;
  for (const [one, wanted, by] of cases) {
    expect(explainEvidence(catalog, one)).toMatchObject({ wanted, wantedBy: expect.stringContaining(by) });
    expect(evidenceOf(catalog, one, one.policy).wanted).toBe(wanted);
  }
});

test("what was seen is told of its kind, whichever rotation saw it", () => {
  const last = { strength: "observed", version: 1, complete: false, instances: 1, lacks: ["One."], at: "2026-01-02" };
  const seen = [{ source: "sessions", ...last }];
  const { offered } = explainEvidence(catalog, consumer({ evidence: { collectors: { sessions } }, seen }));
  expect(offered.find(({ kind }) => kind === "sessions")?.last).toMatchObject({ lacks: ["One."] });
  expect(offered.find(({ kind }) => kind === "challenge")?.last).toBeNull();
});
