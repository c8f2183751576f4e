import { createHmac, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { Secret } from "../../contract/secret.ts";
import { isStrongEnough, verifiesMac } from "./mac.ts";

const parts = { instance: "ins_1", consumer: "con_1", instanceId: "api-1", nonce: "A".repeat(43) };
const generated = () => new Secret(randomBytes(24).toString("base64url"));

test("a vector made with another program fits", () => {
  // Python's hmac over the text of DESIGN.md section 5, with the instance id in UTF-8.
  const authenticator = new Secret("not-a-password-but-a-test-vector");
  const vector = { ...parts, instanceId: "api-é" };
  expect(verifiesMac("vcbroJiHY-JlE-vjpvDD679rQWxGdVkPziChOYshfyA", authenticator, vector)).toBe(true);
});

test("it fits one authenticator and one set of parts", () => {
  const authenticator = generated();
  const mac = macOf(authenticator, Object.values(parts));
  expect(verifiesMac(mac, authenticator, parts)).toBe(true);
  expect(verifiesMac(mac, generated(), parts)).toBe(false);
  for (const name of ["instance", "consumer", "instanceId", "nonce"])
    expect(verifiesMac(mac, authenticator, { ...parts, [name]: "other" })).toBe(false);
});

test("neither a final line end, nor the authenticator itself as key, nor a cut or empty MAC fits", () => {
  const authenticator = generated();
  const mac = macOf(authenticator, Object.values(parts));
  const text = ["rekey/challenge/v1", ...Object.values(parts)].join("\n");
  const direct = createHmac("sha256", authenticator.reveal()).update(text).digest("base64url");
  const ended = macOf(authenticator, [...Object.values(parts), ""]);
  for (const wrong of [direct, ended, mac.slice(0, 42), mac.slice(0, 20), `${mac}AA`, ""])
    expect(verifiesMac(wrong, authenticator, parts)).toBe(false);
});

test("128 bits of base64url are 22 characters", () => {
  expect(isStrongEnough(new Secret("y".repeat(22)))).toBe(true);
  expect(isStrongEnough(new Secret(randomBytes(16).toString("base64url")))).toBe(true);
  expect(isStrongEnough(new Secret("correct horse battery".slice(0, 21)))).toBe(false);
});

function macOf(authenticator: Secret<string>, rest: readonly string[]): string {
  const key = createHmac("sha256", authenticator.reveal()).update("rekey/challenge/v1").digest();
  return createHmac("sha256", key)
    .update(["rekey/challenge/v1", ...rest].join("\n"))
    .digest("base64url");
}
