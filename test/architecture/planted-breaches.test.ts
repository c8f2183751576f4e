import { describe, expect, it } from "vitest";
import { breaches, harmless, type Planted } from "./planted-breaches.ts";
import { rules } from "./rules.ts";
import { sourceFile, type Breach } from "./source-file.ts";

function found({ rule, path, text, beside = {} }: Planted): readonly Breach[] {
  const known = rules.find(({ name }) => name === rule);
  if (known === undefined) throw new Error(`no rule is named '${rule}'`);
  const files = Object.entries({ ...beside, [path]: text }).map((entry) => sourceFile(...entry));
  return known.check(files).filter((breach) => breach.path === path);
}

describe("a rule", () => {
  it.each(breaches)("'$rule' catches in $path: $text", (planted) => {
    expect(found(planted)).not.toEqual([]);
  });

  it.each(harmless)("'$rule' lets pass in $path: $text", (planted) => {
    expect(found(planted)).toEqual([]);
  });

  it.each(rules)("'$name' has a breach planted for it", ({ name }) => {
    expect(breaches.map(({ rule }) => rule)).toContain(name);
  });

  it("names the line of a breach", () => {
    const text = '/* one\n two */\nconst a = 1 / 2; // "\nimport "../ledger/database.ts";\n';
    const [planted] = rules.flatMap(({ check }) => check([sourceFile("domain/order.ts", text)]));
    expect(planted).toMatchObject({ path: "domain/order.ts", line: 4 });
  });
});
