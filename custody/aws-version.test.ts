import { describe, expect, it } from "vitest";
import { current, forgottenId, isForgotten, next, valueId } from "./aws-version.ts";

describe("ids of versions in AWS", () => {
  it("are what AWS takes as a token, and say whether a value was forgotten", () => {
    const kept = valueId("tie", undefined);
    const gone = forgottenId(kept);
    for (const id of [kept, gone, valueId("tie", gone)]) {
      expect(id).toMatch(/^[a-z0-9-]{32,64}$/);
      expect(isForgotten(id)).toBe(id === gone);
    }
  });

  it("are the same for a repeat, and never for another value, place or turn", () => {
    expect(valueId("tie", "over")).toBe(valueId("tie", "over"));
    const chain = [valueId("tie", undefined)];
    for (let turn = 0; turn < 50; turn += 1) {
      const gone = forgottenId(chain.at(-1) ?? "");
      chain.push(gone, forgottenId(gone), valueId("tie", forgottenId(gone)), valueId("tie of another", gone));
    }
    expect(new Set(chain).size).toBe(chain.length);
  });

  it("a version on its way has no stage of AWS's own", () => {
    expect(next).not.toBe(current);
    expect(next).not.toMatch(/^AWS/);
  });
});
