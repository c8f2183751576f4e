import { describe, expect, it } from "vitest";
import { nearestWord } from "./nearest-word.ts";

describe("the word that was meant", () => {
  it("is found across a swap, a missing, a wrong and an added letter", () => {
    expect(nearestWord("REKEY_PROT", ["REKEY_HOME", "REKEY_PORT"])).toBe("REKEY_PORT");
    expect(nearestWord("gracee", ["grace", "attempts"])).toBe("grace");
    expect(nearestWord("atempts", ["grace", "attempts"])).toBe("attempts");
    expect(nearestWord("greces", ["grace", "attempts"])).toBe("grace");
  });

  it("is found whatever the case", () => {
    expect(nearestWord("credential", ["Consumer", "Credential"])).toBe("Credential");
  });

  it("is the nearest of several, and the first of two as near", () => {
    expect(nearestWord("hosts", ["ports", "host"])).toBe("host");
    expect(nearestWord("ab", ["ac", "ad"])).toBe("ac");
  });

  it("is none when nothing is near", () => {
    expect(nearestWord("database", ["grace", "attempts"])).toBeUndefined();
    expect(nearestWord("x", [])).toBeUndefined();
    expect(nearestWord("abcd", ["abx"])).toBe("abx");
    expect(nearestWord("abcd", ["axx"])).toBeUndefined();
    expect(nearestWord("", ["abc"])).toBeUndefined();
  });

  it("may differ by two letters when short and by a third when long", () => {
    expect(nearestWord("abc", ["axy"])).toBe("axy");
    expect(nearestWord("abc", ["xyz"])).toBeUndefined();
    expect(nearestWord("abcdefghi", ["abcdefxyz"])).toBe("abcdefxyz");
    expect(nearestWord("abcdefghi", ["abcdewxyz"])).toBeUndefined();
  });
});
