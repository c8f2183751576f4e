import { describe, expect, it } from "vitest";
import { orders, stepFor, type Order, type Phase, type Step } from "../domain/order.ts";
import type { StepAnswer } from "../domain/standing.ts";
import { rush } from "./rush.ts";

/** A rotation as its steps see it: what was taken, `!` where everything else lets it pass. Answers that are given come first. */
function rotation(
  order: Order,
  phase: Phase,
  answers: Partial<Record<Step | "undo", StepAnswer>> = {},
  isCrowded = true,
) {
  const at = { order, phase };
  const taken: string[] = [];
  const given = new Map(Object.entries(answers));
  return {
    at,
    taken,
    place: async () => at,
    mustQueue: () => isCrowded,
    take: async (step: Step | "undo", isFirst: boolean): Promise<StepAnswer> => {
      taken.push(isFirst ? `${step}!` : step);
      const answer = given.get(step);
      given.delete(step);
      if (answer !== undefined) return answer;
      const phases: readonly Phase[] = orders[at.order];
      const reached = phases.find((next, place) => stepFor(at.order, phases[place - 1] ?? "closed") === step && next);
      if (reached !== undefined) at.phase = reached;
      return at.phase === "closed" ? { now: "over" } : { now: "done" };
    },
  };
}

describe("a rotation that hurries", () => {
  it("takes its steps until what has leaked is refused, and queues up again for the others", async () => {
    const one = rotation("contain-first", "reserved");
    expect(await rush(one)).toEqual({ now: "wait", waitMs: 0 });
    expect(one.taken).toEqual(["preflight!", "issue!", "guard!", "revoke!"]);
    one.taken.length = 0;
    expect(await rush(one)).toEqual({ now: "over" });
    expect(one.taken).toEqual(["prove", "deliver", "adopt", "promote", "close"]);
  });

  it("goes on at once where nobody else's leak is let in", async () => {
    const one = rotation("contain-first", "reserved", {}, false);
    expect(await rush(one)).toEqual({ now: "over" });
    expect(one.taken.slice(3)).toEqual(["revoke!", "prove", "deliver", "adopt", "promote", "close"]);
  });

  it.each([
    ["overlap", "drained", ["disable!"]],
    ["single-slot", "staged", ["cut!"]],
    ["contain-single-slot", "staged", ["cut!"]],
  ] as const)("%s: the step that refuses the former version ends what goes first", async (order, phase, taken) => {
    const one = rotation(order, phase);
    expect(await rush(one)).toEqual({ now: "wait", waitMs: 0 });
    expect(one.taken).toEqual(taken);
  });

  it("begins with the step that lies before it, and stops where it has to wait", async () => {
    const one = rotation("overlap", "delivered", { adopt: { now: "wait", waitMs: 500 } });
    expect(await rush(one)).toEqual({ now: "wait", waitMs: 500 });
    expect(one.taken).toEqual(["adopt!"]);
  });

  it("goes on in the order that an emergency has given it meanwhile", async () => {
    const one = rotation("overlap", "issued", { deliver: { now: "again" } });
    const { take } = one;
    one.take = async (step, isFirst) => {
      if (step === "deliver") one.at.order = "contain-first";
      return take(step, isFirst);
    };
    expect(await rush(one)).toEqual({ now: "wait", waitMs: 0 });
    expect(one.taken).toEqual(["deliver!", "guard!", "revoke!"]);
  });

  it("is undone where a step says so, and is over where its undo is", async () => {
    const one = rotation("overlap", "delivered", { adopt: { now: "undo" }, undo: { now: "over" } });
    expect(await rush(one)).toEqual({ now: "over" });
    expect(one.taken).toEqual(["adopt!", "undo!"]);
  });

  it("is over where there is none", async () => {
    const take = async () => Promise.reject(new Error("no step"));
    const none = { place: async () => undefined, take, mustQueue: () => false };
    expect(await rush(none)).toEqual({ now: "over" });
  });
});
