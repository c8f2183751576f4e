import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nextPhase, stepFor, type Order, type Phase } from "../../domain/order.ts";
import { undoActions } from "../../domain/undo.ts";
import { absentEffects, absentPoints } from "./matrix-absent.ts";
import { custodyCases, matrixCases, mintedCases, partOf, points, type MatrixCase } from "./matrix-cases.ts";
import { emergencyCases, shortEmergencies } from "./matrix-emergencies.ts";
import { losesNothing, lossCases } from "./matrix-losses.ts";
import { isShort } from "./matrix-short.ts";

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
    const all = [...matrixCases, ...mintedCases, ...custodyCases, ...lossCases, ...emergencyCases];
    const names = all.map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it.each([
    ["vault", ["choose", "keep", "disable", "undo-enable"]],
    ["aws", ["choose", "keep"]],
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
    const short = new Set(minted.filter(isShort).map(({ step, point }) => `${step}:${point}`));
    expect(
      [...points.map((point) => `issue:${point}`), "keep:B2", "revoke:B2", "undo-abandon:B2"].filter(
        (name) => !short.has(name),
      ),
    ).toEqual([]);
  });

  it.each(["aws", "vault"] as const)(
    "has with the values in %s all that it has with those in the ledger",
    (custody) => {
      const namesOf = (cases: readonly MatrixCase[]) => cases.map(({ name }) => name.replace(/^(custody-)?\w+\//, ""));
      const there = custodyCases.filter((one) => one.custody === custody && one.issuer === custody);
      expect(namesOf(there)).toEqual(namesOf(mintedCases.filter(({ issuer }) => issuer === custody)));
      // What is asked of custody only where rekey chooses the value.
      const chosen = namesOf(custodyCases.filter((one) => one.custody === custody && one.issuer === "postgres"));
      const first = matrixCases.filter(({ step }) =>
        /^(choose|stage|cut|undo-cut-back|undo-unstage|undo-enable)$/.test(step),
      );
      const wanted = first.map(({ name }) => `postgres/${name}`).filter((name) => !name.includes("abort-after-cut"));
      expect(chosen.toSorted()).toEqual(wanted.toSorted());
    },
  );

  it.each(["contain-first", "contain-in-place", "contain-single-slot"] as const)(
    "has every point of every step of the %s order, but for what one activity acknowledges at its end",
    (order) => {
      const of = emergencyCases.filter(({ name }) => name.startsWith(`emergency/${order}/`));
      const has = new Set(of.map(({ step, point }) => `${partOf.get(step) ?? step}:${point}`));
      const steps = forwardSteps(order);
      expect(steps).toContain("prove");
      const absent = absentPoints.flatMap(({ steps: each, points: at }) =>
        each.flatMap((step) => at.map((point) => `${step}:${point}`)),
      );
      const unacknowledged = steps.filter((step) => step !== "close").map((step) => `${step}:B5`);
      const wanted = steps.flatMap((step) => points.map((point) => `${step}:${point}`));
      const without = wanted.filter((name) => !has.has(name) && ![...absent, ...unacknowledged].includes(name));
      expect(without).toEqual([]);
      expect([...has].filter((name) => !wanted.includes(name))).toEqual([]);
    },
  );

  it("has rows of each course that an emergency can take, and runs one of each every time", () => {
    const short = emergencyCases.filter(isShort);
    expect(short.map(({ name }) => name).toSorted()).toEqual([...shortEmergencies].toSorted());
    const courses = ({ order, emergency, abortIn }: (typeof emergencyCases)[number]) =>
      [order, emergency.declared, emergency.names, abortIn ?? "", emergency.isFrozen ?? emergency.isFull ?? ""].join();
    expect(new Set(emergencyCases.map(courses)).size).toBe(22);
    for (const names of ["former", "candidate", "both"])
      expect(short.some(({ emergency }) => emergency.names === names && emergency.declared !== "at-once")).toBe(true);
    expect(short.some(({ emergency }) => emergency.isFrozen === true)).toBe(true);
    expect(short.some(({ emergency }) => emergency.isFull === true)).toBe(true);
  });

  it("kills a worker behind every call with an effect", () => {
    const folder = new URL("../../activities/", import.meta.url);
    const sources = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
    const calls = sources.flatMap((name) =>
      [...readFileSync(new URL(name, folder), "utf8").matchAll(/\beffect\(([^,()]+),/g)].map(([, what = ""]) => what),
    );
    const steps = calls.flatMap((what) => what.match(/"[\w-]+"/g) ?? []).map((text) => text.slice(1, -1));
    expect(steps).toContain("keep");
    const has = new Set([...matrixCases, ...mintedCases].map(({ failpoint }) => failpoint));
    const without = steps.filter((step) => step !== "single-slot" && !has.has(`${step}:B2`));
    expect(without).toEqual(Object.keys(absentEffects));
  });

  it.each([
    ["aws", "embedded", []],
    ["vault", "embedded", ["disable", "undo-enable"]],
    ["aws", "aws", []],
    ["vault", "vault", ["disable", "undo-enable"]],
  ] as const)("loses an answer in each step that has one to lose: issuer %s, custody %s", (issuer, custody, lacks) => {
    const reasons = losesNothing.flatMap(({ steps }) => steps);
    // At the issuer nothing is forgotten, in custody nothing is ended.
    const elsewhere = {
      issuer: ["close", "undo-forget"],
      custody: ["issue", "disable", "revoke", "undo-enable", "undo-abandon"],
    }[custody === "embedded" ? "issuer" : "custody"];
    const lossy = new Set(
      lossCases.filter((one) => one.issuer === issuer && one.custody === custody).map(({ step }) => step),
    );
    const has = (step: string) => lossy.has(step) || (step === "issue" && lossy.has("keep"));
    const wanted = [...forwardSteps("overlap"), ...undoSteps("overlap")];
    const without = wanted.filter((step) => !has(step) && ![...reasons, ...elsewhere, ...lacks].includes(step));
    expect(without).toEqual([]);
    expect([...lossy].filter((step) => reasons.includes(step))).toEqual([]);
    expect(lossy).toContain("all");
    expect(lossy).toContain("undo-all");
  });
});
