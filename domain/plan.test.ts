import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { strengths } from "./evidence.ts";
import { orders, type Order } from "./order.ts";
import { planRotation, type PlanConsumer, type PlanInput } from "./plan.ts";

const minute = 60_000;
const shop: PlanConsumer = {
  consumerId: "con_a",
  name: "shop",
  target: "file",
  restarts: [],
  wanted: "observed",
  canGive: ["delivered", "observed"],
};
const input: PlanInput = {
  order: "overlap",
  issuer: "postgres-role",
  consumers: [shop, { ...shop, consumerId: "con_b", name: "stock" }],
  durations: {
    issueMs: 1 * minute,
    deliverMs: 2 * minute,
    adoptMs: 5 * minute,
    graceMs: 60 * minute,
    disabledForMs: 10 * minute,
    revokeMs: 3 * minute,
    proveMs: 7 * minute,
  },
  canDisable: true,
};

function minutesOf(change: Partial<PlanInput>): Record<string, number> {
  return Object.fromEntries(planRotation({ ...input, ...change }).steps.map(({ step, minutes }) => [step, minutes]));
}

function callsOf(change: Partial<PlanInput>): Record<string, readonly string[]> {
  return Object.fromEntries(planRotation({ ...input, ...change }).steps.map(({ step, calls }) => [step, calls]));
}

describe("what a plan says", () => {
  test("an overlap takes each step in its time, the deliveries one after the other", () => {
    expect(minutesOf({})).toEqual({
      ...{ preflight: 0, issue: 1, deliver: 4, adopt: 5, promote: 0, drain: 60 },
      ...{ disable: 10, guard: 5, revoke: 3, prove: 7, close: 0 },
    });
    expect(planRotation(input).minutes).toBe(95);
  });

  test("contain-first waits for no evidence before it ends the old version", () => {
    const minutes = minutesOf({ order: "contain-first" });
    expect(Object.entries(minutes).map(([step, took]) => `${step} ${took}`)).toEqual([
      ...["preflight 0", "issue 1", "guard 0", "revoke 3", "prove 7", "deliver 4", "adopt 5", "promote 0", "close 0"],
    ]);
  });

  test("single-slot stages, cuts and ends", () => {
    expect(minutesOf({ order: "single-slot" })).toEqual({
      ...{
        preflight: 0,
        stage: 1,
        cut: 1,
        deliver: 4,
        adopt: 5,
        promote: 0,
        drain: 60,
        end: 3,
        prove: 7,
        close: 0,
      },
    });
  });

  test("a started minute counts, and the whole is not the sum of what was rounded up", () => {
    const durations = { ...input.durations, issueMs: 1, revokeMs: 1, proveMs: 1 };
    expect(minutesOf({ durations })).toMatchObject({ issue: 1, revoke: 1, prove: 1 });
    expect(planRotation({ ...input, durations }).minutes).toBe(85);
  });

  test("an issuer that cannot disable has no such step", () => {
    expect(Object.keys(minutesOf({ canDisable: false }))).not.toContain("disable");
    expect(Object.keys(minutesOf({}))).toContain("disable");
  });

  test("every call with an effect outside is named, for each consumer", () => {
    expect(callsOf({})).toEqual({
      preflight: [
        "postgres-role: check identity, rights and room",
        "file: check that shop can be written",
        "file: check that stock can be written",
      ],
      issue: ["postgres-role: issue the new version", "postgres-role: log in with it"],
      deliver: [
        "file: write the new version for shop and read it back",
        "file: write the new version for stock and read it back",
      ],
      adopt: ["shop: collect evidence, observed or stronger", "stock: collect evidence, observed or stronger"],
      promote: [],
      drain: evidenceAgain,
      disable: ["postgres-role: disable the old version, restorable"],
      guard: evidenceAgain,
      revoke: ["postgres-role: end the old version", "postgres-role: end its sessions until none is seen"],
      prove: ["postgres-role: log in with the old version and see it refused, under controls"],
      close: [],
    });
    expect(callsOf({ order: "single-slot" })).toMatchObject({
      stage: ["custody: store the new value"],
      cut: ["postgres-role: set the new value in place of the former one", "postgres-role: log in with it"],
      end: ["postgres-role: end the sessions begun before the cut"],
    });
  });

  test("a consumer that cannot give what its policy asks for is a warning, and so is no consumer", () => {
    const warn = (consumers: readonly PlanConsumer[]): readonly string[] =>
      planRotation({ ...input, consumers }).warnings;
    expect(warn([shop])).toEqual([]);
    expect(warn([{ ...shop, canGive: ["attested"] }])).toEqual([]);
    expect(warn([{ ...shop, canGive: ["delivered", "acknowledged"] }, shop])).toEqual([
      "Consumer shop can give acknowledged; its policy asks for observed.",
    ]);
    expect(warn([{ ...shop, canGive: [] }])).toEqual([
      "Consumer shop can give no evidence; its policy asks for observed.",
    ]);
    expect(warn([{ ...shop, canGive: ["delivered"] }])).toEqual([
      "Consumer shop can give delivered; its policy asks for observed.",
    ]);
    expect(warn([])).toEqual(["No consumer is registered: a person will have to accept that nobody can be asked."]);
  });
});

test("a consumer that can only show that its target was written is a warning where that suffices", () => {
  const warn = (consumer: Partial<PlanConsumer>): readonly string[] =>
    planRotation({ ...input, consumers: [{ ...shop, wanted: "delivered", ...consumer }] }).warnings;
  expect(warn({ canGive: ["delivered"] })).toEqual([
    "Consumer shop: all that can be seen of it is that its target was written, not that anybody runs on it. For stronger evidence: rekey consumer show shop",
  ]);
  expect(warn({ canGive: ["acknowledged", "delivered"] })).toEqual([]);
});

const evidenceAgain = [
  "shop: collect evidence again",
  "stock: collect evidence again",
  "postgres-role: look for use of the old version",
];

test("what is started anew after a delivery is said beside it", () => {
  const { steps } = planRotation({ ...input, consumers: [{ ...shop, restarts: ["Deployment/shop", "CronJob/mail"] }] });
  expect(steps.find(({ step }) => step === "deliver")?.calls).toEqual([
    "file: write the new version for shop and read it back",
    "file: restart Deployment/shop",
    "file: restart CronJob/mail",
  ]);
});

test("whatever the input, the plan follows the order and crosses the point of no return once", () => {
  const anyMs = fc.nat(10 * minute);
  const anyInput: fc.Arbitrary<PlanInput> = fc.record({
    order: fc.constantFrom(...(Object.keys(orders) as Order[])),
    issuer: fc.constant("postgres-role"),
    consumers: fc.array(
      fc.record({
        consumerId: fc.constant("con_a"),
        name: fc.constant("shop"),
        target: fc.constant("file"),
        restarts: fc.constant([]),
        wanted: fc.constantFrom(...strengths),
        canGive: fc.subarray([...strengths]),
      }),
    ),
    durations: fc.record({
      issueMs: anyMs,
      deliverMs: anyMs,
      adoptMs: anyMs,
      graceMs: anyMs,
      disabledForMs: anyMs,
      revokeMs: anyMs,
      proveMs: anyMs,
    }),
    canDisable: fc.boolean(),
  });
  fc.assert(
    fc.property(anyInput, (any) => {
      const plan = planRotation(any);
      expect(plan).toEqual(planRotation(any));
      expect(plan.steps.map(({ reaches }) => reaches)).toEqual(
        orders[any.order].filter((phase) => any.canDisable || phase !== "disabled"),
      );
      const crossing = plan.steps.filter(({ crossesReturn }) => crossesReturn).map(({ reaches }) => reaches);
      expect(crossing).toEqual([plan.pointOfNoReturn]);
      expect(plan.minutes).toBeLessThanOrEqual(plan.steps.reduce((sum, { minutes }) => sum + minutes, 0));
    }),
  );
});
