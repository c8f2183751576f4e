import { expect, test } from "vitest";
import { timesAfterReturn } from "./one-slot.ts";

const longAgo = "1970-01-01T00:00:00.000Z";
const [first, cut, back] = ["2026-01-01T00:00:00.001Z", "2026-01-02T00:00:00.000Z", "2026-01-02T00:00:05.000Z"];

test("a cut that is known keeps its time, and the former version gets that of its return", () => {
  expect(timesAfterReturn({ candidate: cut, former: first }, back)).toEqual({ candidate: cut, former: back });
});

test("a former version that is in force since before leaves no time for the candidate", () => {
  expect(timesAfterReturn({ candidate: undefined, former: first }, first).candidate).toBeUndefined();
  // The mark is written before the commit, the ledger's time read after it.
  const marked = "2026-01-01T00:00:00.000Z";
  expect(timesAfterReturn({ candidate: undefined, former: first }, marked)).toEqual({
    candidate: undefined,
    former: first,
  });
  expect(timesAfterReturn({ candidate: undefined, former: undefined }, longAgo).candidate).toBeUndefined();
});

test("a former version that came back after a cut of unknown time gives the candidate the earliest that is possible", () => {
  expect(timesAfterReturn({ candidate: undefined, former: first }, back)).toEqual({ candidate: first, former: back });
  expect(timesAfterReturn({ candidate: undefined, former: undefined }, back)).toEqual({
    candidate: longAgo,
    former: back,
  });
});

test("an issuer that does not answer, or not with a time, has not shown that the candidate was never there", () => {
  for (const answered of [undefined, "", "yesterday"])
    expect(timesAfterReturn({ candidate: undefined, former: first }, answered).candidate).toBe(first);
  expect(timesAfterReturn({ candidate: undefined, former: "unknown" }, first).candidate).toBe("unknown");
});
