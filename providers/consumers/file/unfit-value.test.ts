import { parseEnv } from "node:util";
import fc from "fast-check";
import { parse } from "yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../contract/secret.ts";
import type { Value } from "../../contract/value.ts";
import type { FormatName } from "./config.ts";
import { deliveryOf, startTrial, type Trial } from "./trial.ts";

const starts: Readonly<Record<FormatName, string>> = {
  dotenv: "# mine\nA=1\nvalue=before\n",
  json: '{ "A": 1, "value": "before" }',
  yaml: "# mine\nA: 1\nvalue: before\n",
  raw: "before",
};

/** What another reader than ours finds in our place. */
const readers: Readonly<Record<FormatName, (text: string) => unknown>> = {
  dotenv: (text) => parseEnv(text)["value"],
  json: (text) => (JSON.parse(text) as { readonly value: unknown }).value,
  yaml: (text) => (parse(text) as { readonly value: unknown }).value,
  raw: (text) => text.replace(/\n$/, ""),
};

const never = ["", "*", "***", "xxx", "XXXXXXXX", "[secret]", "[redacted]", "<redacted>", "REDACTED", "hidden"];
const pem = `-----BEGIN PRIVATE KEY-----\n${"QUJD".repeat(12)}\n-----END PRIVATE KEY-----\n`;

/** Fit and unfit: redactions, keys cut anywhere, half characters, control bytes, signs of every syntax. */
const anything = fc.oneof(
  fc.constantFrom(...never),
  fc.nat(pem.length).map((length) => pem.slice(0, length)),
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.slice(0, -1)),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom(...Array.from("'\"`$\\#={}[]:-!&*|>%@ \n\r\t\0a")), maxLength: 8 }),
  fc.constant("\ud83d"),
  fc.constant("x".repeat(16_385)),
);

function valueOf(text: string, isSecret: boolean): Value | undefined {
  if (!isSecret) return { password: text };
  try {
    return { password: new Secret(text) };
  } catch {
    return undefined;
  }
}

describe.each(Object.keys(starts) as FormatName[])("what is written to %s", (format) => {
  let trial: Trial;
  beforeEach(async () => {
    trial = await startTrial(starts[format], `app.${format}`);
  });
  afterEach(async () => trial.end());

  it("invariant 13: is the whole value, or nothing", async () => {
    const session = await trial.open({ config: { format, keys: { value: "password" } } });
    let number = 0;
    let written = 0;
    await fc.assert(
      fc.asyncProperty(anything, fc.boolean(), async (text, isSecret) => {
        const before = await trial.text();
        const value = valueOf(text, isSecret);
        if (value === undefined) return;
        const outcome: unknown = await session
          .deliver({ ...deliveryOf(++number, "x"), value })
          .catch((error: unknown) => error);
        expect(await trial.leftovers()).toEqual([]);
        if (outcome instanceof Error) {
          expect(outcome).toMatchObject({ name: "PermanentError", code: "value_unfit" });
          if (text.length > 3) expect(outcome.message).not.toContain(text);
          expect(await trial.text()).toBe(before);
          return;
        }
        written++;
        expect(never).not.toContain(text);
        expect(text.isWellFormed()).toBe(true);
        expect(text.length).toBeLessThan(16_385);
        if (text !== pem && text !== pem.trimEnd()) expect(text).not.toMatch(/[\u0000-\u001f\u007f]/);
        // A PEM has a line end of its own, which then stays as the raw file's.
        const whole = format === "raw" ? text.replace(/\n$/, "") : text;
        expect(readers[format](await trial.text())).toBe(whole);
      }),
      { numRuns: 150 },
    );
    expect(written).toBeGreaterThan(10);
  });

  it.each(never)("invariant 13: is never %j, not even as a field that is no secret", async (text) => {
    const session = await trial.open({ config: { format, keys: { value: "username" } } });
    await expect(session.deliver({ ...deliveryOf(1, "x"), value: { username: text } })).rejects.toMatchObject({
      code: "value_unfit",
    });
    expect(await trial.text()).toBe(starts[format]);
    expect(await trial.sideNumber()).toBeUndefined();
  });
});
