import { describe, expect, it } from "vitest";
import { z } from "zod";
import { knownFields } from "./known-fields.ts";
import { oncePerMistake, sayIssue } from "./say-issue.ts";

function said(schema: z.ZodType, input: unknown): readonly string[] {
  const result = schema.safeParse(input);
  const known = knownFields(schema);
  const issues = (result.error?.issues ?? []).flatMap((issue) => sayIssue(issue, input, known));
  return oncePerMistake(issues).map(({ path, text }) => `${path.join(".")}: ${text}`);
}

const pair = z.strictObject({ owner: z.string(), logins: z.array(z.string()), database: z.string() });
const single = z.strictObject({ login: z.string(), database: z.string() });
const either = z.union([pair, single]);

describe("what is said of a mistake", () => {
  it("is about the branch of a union that was meant", () => {
    expect(said(either, { login: "a", databse: "d" })).toEqual(["databse: is no field here; did you mean database?"]);
    expect(said(either, { owner: "o", logins: "a", database: "d" })).toEqual(["logins: must be a list."]);
  });

  it("is about the mapping where one was written, and not about the word that may stand there instead", () => {
    const days = z.strictObject({ days: z.array(z.enum(["sat", "sun"])), from: z.string() });
    const windows = z.union([z.literal("always"), days], { error: "must be always, or days" });
    expect(said(windows, { days: ["saturday"], from: "22:00" })).toEqual(["days.0: must be one of sat, sun."]);
    expect(said(windows, { days: ["sat"], form: "22:00" })).toEqual(["form: is no field here; did you mean from?"]);
    expect(said(windows, "allways")).toEqual([": must be always, or days."]);
  });

  it("does not propose the very field that is refused", () => {
    const schedule = z.union([z.strictObject({ every: z.string() }), z.strictObject({ cron: z.string() })]);
    expect(said(schedule, { every: "1h", cron: "0 3 * * *" })).toEqual([
      "cron: does not go with another field here; write one of the two.",
    ]);
  });

  it("reaches into lists, records and nested fields", () => {
    const schema = z.strictObject({
      rows: z.array(z.strictObject({ name: z.string() })),
      more: z.record(z.string(), single),
    });
    expect(said(schema, { rows: [{ nam: "x" }], more: { one: { login: 1, database: "d" } } })).toEqual([
      "rows.0.nam: is no field here; did you mean name?",
      "more.one.login: must be a text. YAML reads this as a number: put it in quotes.",
    ]);
  });

  it("is said once of a mistyped field, and still of another one that is missing", () => {
    expect(said(z.strictObject({ rows: z.array(pair) }), { rows: [{ databse: "d", logins: [] }] })).toEqual([
      "rows.0.owner: is missing: it must be a text.",
      "rows.0.databse: is no field here; did you mean database?",
    ]);
    expect(said(z.strictObject({ kind: z.enum(["on", "off"]) }), { kindd: "on" })).toEqual([
      "kindd: is no field here; did you mean kind?",
    ]);
  });

  it("is also said of a field that is wrong itself beside one that nearly has its name", () => {
    expect(said(single, { login: "a", database: 1, databse: "d" })).toEqual([
      "database: must be a text. YAML reads this as a number: put it in quotes.",
      "databse: is no field here; did you mean database?",
    ]);
  });

  it("keeps a provider's own words, and ends them with a full stop", () => {
    expect(said(z.string().regex(/^\//, "must be an absolute path"), "x")).toEqual([": must be an absolute path."]);
    expect(said(z.int().min(1), 0)[0]).toBe(": must be at least 1.");
    expect(said(z.array(z.string()).min(2), ["a"])[0]).toBe(": must have at least 2 entries.");
    expect(said(z.string().max(3), "abcd")[0]).toBe(": must be at most 3 characters long.");
    expect(said(z.string().min(1), "")[0]).toBe(": must not be empty.");
  });

  it("never repeats what was written", () => {
    const schema = z.strictObject({ a: z.enum(["on", "off"]), b: z.int(), c: z.string().max(3) });
    const text = said(schema, { a: "hunter2", b: "hunter2", c: "hunter2", hunter2: 1 }).join("\n");
    expect(text.replace("hunter2:", "")).not.toContain("hunter2");
  });
});
