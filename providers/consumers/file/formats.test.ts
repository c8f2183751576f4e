import fc from "fast-check";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import { dotenv } from "./dotenv.ts";
import type { Format } from "./format.ts";
import { json } from "./json.ts";
import { yaml } from "./yaml.ts";

const samples: Readonly<Record<string, { readonly format: Format; readonly text: string }>> = {
  dotenv: { format: dotenv, text: "# orders\nexport MODE=live\n\nDB_PASSWORD='before' # ours\nLAST=1" },
  json: { format: json, text: '{\n    "mode": "live",\n    "DB_PASSWORD": "before",\n    "list": [1, 2]\n}\n' },
  yaml: { format: yaml, text: "# orders\nmode: live # keep\nDB_PASSWORD: before\nlist: [1, 2]\n" },
};

// What assertFit lets into custody: printable text, quotes and signs of every syntax included.
const fitValue = fc.string({
  unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCodePoint(code)),
  minLength: 1,
  maxLength: 60,
});

describe.each(Object.entries(samples))("%s", (_name, { format, text }) => {
  const key = "DB_PASSWORD";

  it("invariant 12: any fit value reads back whole, and nothing of others changes", () => {
    fc.assert(
      fc.property(fitValue, (value) => {
        let written: string;
        try {
          written = format.write(text, { [key]: value });
        } catch (error) {
          expect(error).toMatchObject({ code: "value_unfit" });
          return;
        }
        expect(format.read(written, [key])).toEqual({ [key]: value });
        expect(format.foreign(written, [key])).toEqual(format.foreign(text, [key]));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps the comments of others", () => {
    const written = format.write(text, { [key]: "after" });
    for (const kept of text.match(/# orders|# keep/g) ?? []) expect(written).toContain(kept);
    expect(written).not.toContain("before");
  });

  it("makes a file that is not there yet", () => {
    expect(format.read(format.write(undefined, { [key]: "after" }), [key])).toEqual({ [key]: "after" });
  });

  it("says the same when the value is there already", () => {
    const written = format.write(text, { [key]: "after" });
    expect(format.write(written, { [key]: "after" })).toBe(written);
  });
});

it("writes YAML that another reader takes as a string even where it looks like a number or a truth", () => {
  for (const value of ["0123", "true", "null", "1e5", "~", "- a", "{}"])
    expect(parse(yaml.write("a: 1\n", { b: value }))).toEqual({ a: 1, b: value });
});
