import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { afterAttempt, noticeCodes, type NoticeCode } from "./notice-attempt.ts";

const times = { retryFirstMs: 10_000, retryLongestMs: 3_600_000, giveUpAfterMs: 86_400_000 };
const failures = (Object.keys(noticeCodes) as NoticeCode[]).filter((code) => code !== "taken");

describe("what follows an attempt", () => {
  it("is nothing once it was taken, however late", () => {
    expect(afterAttempt({ code: "taken" }, { attempt: 1, ageMs: 0 }, times)).toEqual({ state: "sent" });
    expect(afterAttempt({ code: "taken" }, { attempt: 99, ageMs: times.giveUpAfterMs * 2 }, times)).toEqual({
      state: "sent",
    });
  });

  test.each(failures)("is another one after %s, later each time and an hour at most", (code) => {
    const waits = [1, 2, 3, 9, 10, 30].map((attempt) => afterAttempt({ code }, { attempt, ageMs: 1 }, times));
    expect(waits.map((one) => (one.state === "pending" ? one.afterMs : one.state))).toEqual([
      10_000, 20_000, 40_000, 2_560_000, 3_600_000, 3_600_000,
    ]);
  });

  it("heeds when the endpoint asks to be asked again, within the longest wait", () => {
    const ask = (retryAfterMs: number) =>
      afterAttempt({ code: "failed", retryAfterMs }, { attempt: 1, ageMs: 0 }, times);
    expect([ask(1_000), ask(60_000), ask(99_999_999)]).toEqual([
      { state: "pending", afterMs: 10_000 },
      { state: "pending", afterMs: 60_000 },
      { state: "pending", afterMs: 3_600_000 },
    ]);
  });

  it("is the end after a day, and never before", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...failures),
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 0, max: 200_000_000 }),
        (code, attempt, ageMs) => {
          const { state } = afterAttempt({ code }, { attempt, ageMs }, times);
          expect(state).toBe(ageMs >= times.giveUpAfterMs ? "given-up" : "pending");
        },
      ),
    );
  });
});
