import { expect, it } from "vitest";
import { Secret } from "../providers/contract/secret.ts";
import { createScrubber } from "./scrubber.ts";

const secret = 'pä55/w+rd "canary?';
const value = { username: "billing_app", password: new Secret(secret) };
const base64 = (text: string) => Buffer.from(text).toString("base64");
const forms: Readonly<Record<string, string>> = {
  plain: secret,
  json: JSON.stringify({ secret }),
  base64: base64(secret),
  "base64 in basic auth": base64(`user:${secret}`),
  "base64 one byte on": base64(`x${secret}yz`),
  "base64 two bytes on": base64(`xx${secret}yz`),
  base64url: Buffer.from(secret).toString("base64url"),
  hex: Buffer.from(secret).toString("hex"),
  "upper-case hex": Buffer.from(secret).toString("hex").toUpperCase(),
  percent: encodeURIComponent(secret),
  "percent in lower case": encodeURIComponent(secret).replaceAll(/%../g, (escape) => escape.toLowerCase()),
};

for (const [name, form] of Object.entries(forms))
  it(`takes out a held value as ${name}`, async () => {
    const alarms: number[] = [];
    const scrubber = createScrubber((hits) => alarms.push(hits));
    const clean = await scrubber.withHeld([value], () => Promise.resolve(scrubber.scrub(`before ${form} after`)));
    expect(clean).toMatch(/^before .*\[secret\].* after$/);
    expect(clean).not.toContain("canary");
    expect(alarms).toEqual([1]);
    expect(scrubber.hits()).toBe(1);
  });

it("leaves plain fields and other text alone", async () => {
  const scrubber = createScrubber();
  await scrubber.withHeld([value], async () => {
    expect(scrubber.scrub("billing_app is delivered")).toBe("billing_app is delivered");
    await Promise.resolve();
  });
  expect(scrubber.hits()).toBe(0);
});

it("watches until the last holder is done, also when one fails", async () => {
  const scrubber = createScrubber();
  await scrubber.withHeld([value], async () => {
    await expect(scrubber.withHeld([value], () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(scrubber.scrub(secret)).toBe("[secret]");
  });
  expect(scrubber.scrub(secret)).toBe(secret);
});

it("takes out the longer of two values of which one contains the other", async () => {
  const scrubber = createScrubber();
  const values = [{ a: new Secret("abcdef") }, { a: new Secret("abcdef-and-more") }];
  await scrubber.withHeld(values, async () => {
    expect(scrubber.scrub("x abcdef-and-more y")).toBe("x [secret] y");
    await Promise.resolve();
  });
});
