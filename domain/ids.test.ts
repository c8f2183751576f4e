import { expect, test } from "vitest";
import { idPrefixes, isId } from "./ids.ts";

const digits = "01h455vb4pex5vsknk084sn02q";

test("an id is a prefix of two to four letters and 26 digits", () => {
  expect(isId(`rot_${digits}`)).toBe(true);
  for (const wrong of [
    digits,
    `r_${digits}`,
    `rotat_${digits}`,
    `ROT_${digits}`,
    `r0t_${digits}`,
    `rot_${digits}0`,
    `rot_${digits.slice(1)}`,
    `rot-${digits}`,
    `rot_${digits.toUpperCase()}`,
    ` rot_${digits}`,
    `rot_${digits}\n`,
  ]) {
    expect(isId(wrong), wrong).toBe(false);
  }
});

test("an id of another kind is not taken for this one", () => {
  expect(isId(`rot_${digits}`, "rotation")).toBe(true);
  expect(isId(`crd_${digits}`, "rotation")).toBe(false);
  expect(isId("rot_1", "rotation")).toBe(false);
});

test("each kind has its own prefix, and each prefix makes an id", () => {
  const prefixes = Object.values(idPrefixes);
  expect(new Set(prefixes).size).toBe(prefixes.length);
  for (const prefix of prefixes) expect(isId(`${prefix}_${digits}`), prefix).toBe(true);
});

test("prefixes are written into ledgers and never change", () => {
  expect(idPrefixes).toMatchObject({
    rotation: "rot",
    credential: "crd",
    version: "ver",
    consumer: "con",
    connection: "cns",
    operation: "op",
    hold: "hld",
    check: "chk",
    evidence: "evd",
    delivery: "dlv",
  });
  expect(prefixesWithOthers()).toEqual([]);
});

/** Other parts spell these; they must stay what they are. */
function prefixesWithOthers(): string[] {
  const expected = ["ins", "env", "tm", "tgt", "pol", "usg", "vrd", "cmd", "inc", "tok", "cst"];
  const have: readonly string[] = Object.values(idPrefixes);
  return expected.filter((prefix) => !have.includes(prefix));
}
