import { describe, expect, it } from "vitest";
import { nextPhase, stepFor, type Order, type Phase } from "../../domain/order.ts";
import { undoActions } from "../../domain/undo.ts";
import { absentPoints } from "./matrix-absent.ts";
import { atTheIssuer, matrixCases, mintedCases, partOf, points, type MatrixCase } from "./matrix-cases.ts";

type MatrixOrder = MatrixCase["order"];

/** Every step on the way of an order, as the domain has it. */
function forwardSteps(order: Order): readonly string[] {
  const steps: string[] = ["preflight"];
  for (let phase: Phase | undefined = "reserved"; phase !== undefined; phase = nextPhase(order, phase)) {
    const step = stepFor(order, phase);
    if (step !== undefined) steps.push(step);
  }
  return steps;
}

/** Everything that the undo from the last phase does that can be undone. */
function undoSteps(order: MatrixOrder): readonly string[] {
  const phase = order === "overlap" ? "disabled" : "ended";
  const conditions = { formerInCustody: true, compromised: false };
  const actions = undoActions({ order, phase, touched: ["con_1"], conditions }) ?? [];
  return actions.map(({ does, phase: of }) => `undo-${of === "staged" && does === "forget" ? "unstage" : does}`);
}

const plainCases = matrixCases.filter(({ abortsAfter }) => abortsAfter !== true);

describe("the crash matrix", () => {
  it.each(["overlap", "single-slot"] as const)(
    "has every point of every step of the %s order and of its undo",
    (order) => {
      const steps = [...forwardSteps(order), ...undoSteps(order)];
      expect(steps).toContain("undo-restore");
      const has = new Set(
        plainCases
          .filter((one) => one.order === order)
          .map(({ step, point }) => `${partOf.get(step) ?? step}:${point}`),
      );
      const absent = new Set(
        absentPoints.flatMap(({ steps: of, points: at }) =>
          of.flatMap((step) => at.map((point) => `${step}:${point}`)),
        ),
      );
      const wanted = steps.flatMap((step) => points.map((point) => `${step}:${point}`));
      expect(wanted.filter((name) => !has.has(name) && !absent.has(name))).toEqual([]);
      expect(wanted.filter((name) => has.has(name) && absent.has(name))).toEqual([]);
      // And nothing that the order does not do.
      expect([...has].filter((name) => !wanted.includes(name))).toEqual([]);
    },
  );

  it("has a name for each case, by which it can be run alone", () => {
    const names = [...matrixCases, ...mintedCases].map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it.each([
    ["vault", ["choose", "disable", "undo-enable"]],
    ["aws", ["choose"]],
  ])("has for %s what it has for the first issuer, but for what that kind cannot do", (issuer, lacks) => {
    const stepsOf = (cases: readonly MatrixCase[]) =>
      cases
        .filter(({ order, step }) => order === "overlap" && !lacks.includes(step))
        .map(({ step, point, abortsAfter, abortIn }) => [step, point, abortsAfter ?? abortIn].join())
        .toSorted();
    const minted = mintedCases.filter((one) => one.issuer === issuer);
    // What a delivery leaves half done is taken back by the same code.
    const first = matrixCases.filter(({ order }) => order === "overlap");
    expect(stepsOf(minted)).toEqual(stepsOf(first));
    const short = new Set(minted.filter(atTheIssuer).map(({ step, point }) => `${step}:${point}`));
    expect(
      [...points.map((point) => `issue:${point}`), "revoke:B2", "undo-abandon:B2"].filter((name) => !short.has(name)),
    ).toEqual([]);
  });
});
