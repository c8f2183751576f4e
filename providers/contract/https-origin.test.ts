import { expect, test } from "vitest";
import { makeCertificates } from "../../test/harness/aws/authority.ts";
import { isAuthority, isHttpsOrigin } from "./https-origin.ts";

test.each(["https://vault.example", "https://10.0.0.7:8200", "https://[::1]:6443/"])("%s is a server", (text) => {
  expect(isHttpsOrigin(text)).toBe(true);
});

test.each([
  "http://vault.example",
  "https://vault.example/v1",
  "https://vault.example?a=b",
  "https://vault.example#a",
  "https://user@vault.example",
  "https://:word@vault.example",
  "vault.example:8200",
  "",
])("'%s' is none", (text) => {
  expect(isHttpsOrigin(text)).toBe(false);
});

test("a certificate is an authority; a key, a torn one and a text are none", () => {
  const { ca, key } = makeCertificates();
  expect(isAuthority(ca)).toBe(true);
  expect(isAuthority(`${ca}\n${makeCertificates().ca}`)).toBe(true);
  for (const text of [key, ca.slice(0, ca.length / 2), "-----BEGIN CERTIFICATE-----", "no PEM", ""])
    expect(isAuthority(text)).toBe(false);
});
