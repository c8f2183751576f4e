import fc from "fast-check";
import { expect, test } from "vitest";
import { PermanentError } from "../../../domain/errors.ts";
import { assertTurn, isOf, readComment, withoutMark, writeComment, type Mark } from "./mark.ts";

const mark: Mark = {
  instance: "ins_1",
  credential: "crd_1",
  version: 2,
  operationKey: "key",
  claim: { epoch: 1, number: 7 },
  state: "live",
  at: "2026-01-02T03:04:05.678Z",
};

test("a mark is appended to the owner's words and read back", () => {
  const text = writeComment(readComment("Orders, ask Ann"), mark);
  expect(text).toMatch(/^Orders, ask Ann\nrekey:\{/);
  expect(readComment(text)).toEqual({ before: "Orders, ask Ann\n", after: "", mark });
  expect(writeComment(readComment(null), mark)).toMatch(/^rekey:\{/);
});

test("invariant 12: whatever the owner wrote, before or after, stays to the letter", () => {
  const words = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("rekey:{"));
  fc.assert(
    fc.property(words, words, fc.array(fc.nat(99), { minLength: 1, maxLength: 5 }), (before, after, versions) => {
      let text = `${writeComment(readComment(before), mark)}${after}`;
      const first = readComment(text);
      for (const version of versions) text = writeComment(readComment(text), { ...mark, version });
      const last = readComment(text);
      expect(last).toEqual({ ...first, mark: { ...mark, version: versions.at(-1) } });
      expect(last.before.startsWith(before)).toBe(true);
      expect(last.after).toBe(after);
    }),
  );
});

test("braces in a mark's own texts do not end it", () => {
  const odd = { ...mark, operationKey: '}{"}' };
  expect(readComment(`${writeComment(readComment("x"), odd)} and after}`)).toMatchObject({
    mark: odd,
    after: " and after}",
  });
});

test("a mark that is broken, or there twice, is unreadable and not absent", () => {
  const text = writeComment(readComment("x"), mark);
  for (const broken of [text.slice(0, -1), text.replace("live", "dead"), `${text} ${text}`, "rekey:{}"])
    expect(readComment(broken).mark, broken).toBe("unreadable");
  expect(readComment("see rekey: the docs").mark).toBeUndefined();
});

test("without the mark the owner's words are left", () => {
  expect(withoutMark(readComment(writeComment(readComment("Ann's"), mark)))).toBe("Ann's");
  expect(withoutMark(readComment("Ann's rekey:{broken"))).toBe("Ann's");
});

test("invariant 7: an older claim is refused, its own and a newer one are not", () => {
  expect(() => assertTurn(mark, { epoch: 1, number: 6 })).toThrow(PermanentError);
  expect(() => assertTurn(mark, { epoch: 0, number: 99 })).toThrow(/newer attempt/);
  for (const claim of [mark.claim, { epoch: 1, number: 8 }, { epoch: 2, number: 1 }])
    expect(() => assertTurn(mark, claim)).not.toThrow();
});

test("a mark is one credential's of one instance", () => {
  expect(isOf(mark, { instance: "ins_1", credential: "crd_1" })).toBe(true);
  expect(isOf(mark, { instance: "ins_2", credential: "crd_1" })).toBe(false);
  expect(isOf(mark, { instance: "ins_1", credential: "crd_2" })).toBe(false);
});
