import { describe, expect, it } from "vitest";
import { rules } from "./rules.ts";
import { projectFiles } from "./source-file.ts";

const files = projectFiles();

describe("the code base", () => {
  it("is seen: a rule over nothing would pass for ever", () => {
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["domain/order.ts", "README.md", "bin/rekey", "scripts/setup.mjs", "ledger/migrate.ts"]),
    );
  });

  it.each(rules)("keeps the rule: $name", ({ check }) => {
    const lines = check(files).map(({ path, line, says }) => `${path}${line === undefined ? "" : `:${line}`} ${says}`);
    expect(lines).toEqual([]);
  });
});
