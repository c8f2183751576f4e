import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { PermanentError } from "../../../domain/errors.ts";
import { Secret } from "../../contract/secret.ts";
import { scramVerifier } from "./scram-verifier.ts";

// The exchange of RFC 7677, section 3.
const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
const authMessage = [
  "n=user,r=rOprNGfwEbeRWgbNEkqO",
  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
].join(",");

test("the verifier answers the exchange of RFC 7677", async () => {
  const verifier = await scramVerifier(new Secret("pencil"), salt);
  const [, stored = "", server = ""] = /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$(.+):(.+)$/.exec(verifier) ?? [];
  const sign = (key: Buffer) => createHmac("sha256", key).update(authMessage).digest();
  expect(sign(Buffer.from(server, "base64")).toString("base64")).toBe("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  const proof = Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64");
  const signature = sign(Buffer.from(stored, "base64"));
  const clientKey = Buffer.from(proof.map((byte, at) => byte ^ (signature[at] ?? 0)));
  expect(createHash("sha256").update(clientKey).digest("base64")).toBe(stored);
});

test("the salt is new each time, and the password is nowhere in it", async () => {
  const password = new Secret("a-password");
  const [one, other] = [await scramVerifier(password), await scramVerifier(password)];
  expect(one).not.toBe(other);
  expect(one).not.toContain("a-password");
});

test("invariant 13: what no login can be made by is refused", async () => {
  for (const text of ["tab\there", "\ud83d", "\u00ad"])
    await expect(scramVerifier(new Secret(text))).rejects.toThrow(PermanentError);
});
