import { parseEnv } from "node:util";
import { spawnSync } from "node:child_process";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dotenv } from "./dotenv.ts";
import type { Format } from "./format.ts";
import { json } from "./json.ts";
import { raw } from "./raw.ts";
import { yaml } from "./yaml.ts";

/** What lies there, our key, and what must lie there after "NEW" was written, byte by byte. */
type Layout = readonly [name: string, before: string, key: string, after: string];

const layouts: Readonly<Record<string, { readonly format: Format; readonly cases: readonly Layout[] }>> = {
  dotenv: {
    format: dotenv,
    cases: [
      ["keeps CRLF", "A=1\r\nK=2\r\nB=3\r\n", "K", "A=1\r\nK=NEW\r\nB=3\r\n"],
      ["adds a line in CRLF", "A=1\r\n", "K", "A=1\r\nK=NEW\r\n"],
      ["keeps a byte order mark before our key", "\uFEFFK=1\nB=2", "K", "\uFEFFK=NEW\nB=2"],
      ["ends a last line that has no end before it adds one", "A=1", "K", "A=1\nK=NEW\n"],
      ["keeps a last line without an end", "K=1", "K", "K=NEW"],
      ["keeps export, spaces and a comment", "export K = 'old' # ours\n", "K", "export K = 'NEW' # ours\n"],
      ["keeps a comment that follows an empty value", "K= # none\n", "K", "K= NEW # none\n"],
      ["is not fooled by our key inside another's quotes", 'A="x\nK=2\n"\n', "K", 'A="x\nK=2\n"\nK=NEW\n'],
      ["keeps foreign keys that are twice", "A=1\nA=2\nK=3\n", "K", "A=1\nA=2\nK=NEW\n"],
      [
        "keeps names that every object inherits",
        "constructor=1\n__proto__=2\n",
        "K",
        "constructor=1\n__proto__=2\nK=NEW\n",
      ],
      ["keeps lines that are no assignments", "set -a\n# it's mine\nK=1\n", "K", "set -a\n# it's mine\nK=NEW\n"],
      ["replaces a value of several lines whole", 'K="a\nb"\nB=1\n', "K", 'K="NEW"\nB=1\n'],
    ],
  },
  json: {
    format: json,
    cases: [
      ["keeps CRLF and indentation", '{\r\n  "A": 1\r\n}\r\n', "K", '{\r\n  "A": 1,\r\n  "K": "NEW"\r\n}\r\n'],
      ["keeps a byte order mark", '\uFEFF{"K": "1"}', "K", '\uFEFF{"K": "NEW"}'],
      [
        "keeps numbers beyond a double",
        '{"A": 12345678901234567890, "K": "1"}',
        "K",
        '{"A": 12345678901234567890, "K": "NEW"}',
      ],
      ["walks into objects by dots", '{"a": {"b": {"K": 1}}}', "a.b.K", '{"a": {"b": {"K": "NEW"}}}'],
      ["makes the objects on the way", "{}", "a.b", '{"a": {"b": "NEW"}}'],
      ["fills an empty object on the way", '{"a": {}, "z": {}}', "a.b", '{"a": {"b": "NEW"}, "z": {}}'],
      ["takes a blank file as an empty object", " \n", "K", '{\n"K": "NEW"\n}\n'],
      ["takes null as absent", '{"K": null}', "K", '{"K": "NEW"}'],
      ["keeps names that every object inherits", '{"__proto__": {"x": 1}}', "K", '{"__proto__": {"x": 1}, "K": "NEW"}'],
      [
        "keeps escapes of others as they are written",
        '{"A": "\\u0061\\/", "K": ""}',
        "K",
        '{"A": "\\u0061\\/", "K": "NEW"}',
      ],
    ],
  },
  yaml: {
    format: yaml,
    cases: [
      [
        "keeps CRLF, white space and comments",
        "A:   1   # a\r\nK: x # ours\r\n\r\n# end\r\n",
        "K",
        'A:   1   # a\r\nK: "NEW" # ours\r\n\r\n# end\r\n',
      ],
      [
        "adds a line after the last key",
        "A: [1,   2] # a\r\n# end\r\n",
        "K",
        'A: [1,   2] # a\r\nK: "NEW"\r\n# end\r\n',
      ],
      ["adds a line where the last one has no end", "A: 1", "K", 'A: 1\nK: "NEW"\n'],
      ["keeps a byte order mark", "\uFEFFA: 1\n", "K", '\uFEFFA: 1\nK: "NEW"\n'],
      ["adds to a mapping below", "a:\n    b: 1\nz: 2\n", "a.K", 'a:\n    b: 1\n    K: "NEW"\nz: 2\n'],
      ["makes the mappings on the way", "A: 1\n", "a.b", 'A: 1\na: {b: "NEW"}\n'],
      ["fills an empty mapping", "a: {} # none\n", "a.K", 'a: {K: "NEW"} # none\n'],
      ["fills nothing at all", "a: # none\nz: 1\n", "a.K", 'a: {K: "NEW"} # none\nz: 1\n'],
      ["adds to a mapping in braces", "{A: 1}\n", "K", '{K: "NEW", A: 1}\n'],
      ["keeps a comment that follows an empty value", "K: # none\nA: 1\n", "K", 'K: "NEW" # none\nA: 1\n'],
      ["replaces a block whole", "K: |+\n  # no comment\n  x\n\nA: 1\n", "K", 'K: "NEW"\nA: 1\n'],
      ["replaces a block in CRLF whole", "K: >-\r\n  x\r\nA: 1\r\n", "K", 'K: "NEW"\r\nA: 1\r\n'],
      ["keeps anchors and aliases of others", "A: &a 1\nB: *a\nK: x\n", "K", 'A: &a 1\nB: *a\nK: "NEW"\n'],
      ["fills a file of comments", "# only\n", "K", '# only\nK: "NEW"\n'],
      ["keeps the marks of a document", "%YAML 1.2\n---\nA: 1\n...\n", "K", '%YAML 1.2\n---\nA: 1\nK: "NEW"\n...\n'],
    ],
  },
};

describe.each(Object.entries(layouts))("invariant 12: %s", (_name, { format, cases }) => {
  it.each(cases)("%s", (_case, before, key, after) => {
    const written = format.write(before, { [key]: "NEW" });
    expect(written).toBe(after);
    expect(format.read(written, [key])).toEqual({ [key]: "NEW" });
    expect(format.foreign(written, [key])).toEqual(format.foreign(before, [key]));
  });
});

const refused: readonly (readonly [name: string, format: Format, text: string, key: string])[] = [
  ["a dotenv key that is twice", dotenv, "K=1\nK=2\n", "K"],
  ["a dotenv quote that never closes", dotenv, 'A="1\nK=2\n', "K"],
  ["text after a dotenv quote", dotenv, 'K="1" 2\n', "K"],
  ["text that is no JSON", json, "K=1", "K"],
  ["a JSON list", json, "[1]", "K"],
  ["a JSON key that is twice, anywhere", json, '{"a": {"x": 1, "x": 2}, "K": 1}', "K"],
  ["a JSON object in our place", json, '{"K": {"x": 1}}', "K"],
  ["a JSON text on the way", json, '{"a": "x"}', "a.K"],
  ["text that is no YAML", yaml, "a: [1\n", "K"],
  ["a YAML list", yaml, "- 1\n", "K"],
  ["two YAML documents", yaml, "A: 1\n---\nA: 2\n", "K"],
  ["a YAML key that is twice", yaml, "K: 1\nK: 2\n", "K"],
  ["a YAML mapping in our place", yaml, "K: {x: 1}\n", "K"],
  ["a YAML anchor on our value", yaml, "K: &k 1\nA: *k\n", "K"],
  ["a YAML alias in our place", yaml, "A: &a 1\nK: *a\n", "K"],
  ["a YAML alias on the way", yaml, "A: &a {x: 1}\nB: *a\n", "B.K"],
];

it.each(refused)("refuses %s, with a text that shows nothing of it", (_name, format, text, key) => {
  for (const look of [() => format.read(text, [key]), () => format.write(text, { [key]: "NEW" })])
    expect(look).toThrow(expect.objectContaining({ name: "OperatorNeededError", code: "target_malformed" }));
});

it("raw is the value and the file's own line end", () => {
  expect(raw.write("before", { value: "NEW" })).toBe("NEW");
  expect(raw.write("before\r\n", { value: "NEW" })).toBe("NEW\r\n");
  expect(raw.read("NEW\n", ["value"])).toEqual({ value: "NEW" });
  expect(raw.read("NEW\n\n", ["value"])).toEqual({ value: "NEW\n" });
});

it("reads numbers as they are written, so that no changed digit is missed", () => {
  expect(json.read('{"K": 12345678901234567890}', ["K"])).toEqual({ K: "12345678901234567890" });
  expect(yaml.read("K: 1.50\n", ["K"])).toEqual({ K: "1.50" });
});

const fitValue = fc.string({
  unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCodePoint(code)),
  minLength: 1,
  maxLength: 40,
});

it("a shell and Node read from dotenv what was written", () => {
  const folder = mkdtempSync(join(tmpdir(), "rekey-dotenv-"));
  try {
    const values: Record<string, string> = {};
    for (const [index, value] of fc.sample(fitValue, { numRuns: 1000, seed: 7 }).entries())
      try {
        dotenv.write("", { [`K${index}`]: value });
        values[`K${index}`] = value;
      } catch (error) {
        expect(error).toMatchObject({ code: "value_unfit" });
      }
    const text = dotenv.write("", values);
    expect(Object.keys(values).length).toBeGreaterThan(400);
    expect(parseEnv(text)).toEqual(values);
    const path = join(folder, "all.env");
    writeFileSync(path, text);
    const script = '. "$0"; for key in "$@"; do eval "printf \'%s\\\\n\' \\"\\$$key\\""; done';
    const shell = spawnSync("/bin/sh", ["-c", script, path, ...Object.keys(values)], { encoding: "utf8", env: {} });
    expect(shell.stdout.split("\n").slice(0, -1)).toEqual(Object.values(values));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
