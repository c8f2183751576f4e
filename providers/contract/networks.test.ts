import fc from "fast-check";
import { expect, test } from "vitest";
import { isNetwork, networksContain, plainAddress } from "./networks.ts";

test.each([
  ["10.1.2.3", "10.1.2.3"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["::FFFF:0a01:0203", "10.1.2.3"],
  ["0:0:0:0:0:ffff:10.1.2.3", "10.1.2.3"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1"],
  ["::", "::"],
])("%s is one spelling of %s", (text, plain) => {
  expect(plainAddress(text)?.text).toBe(plain);
});

test.each(["", "local", "10.1.2", "10.1.2.03", "0x7f.0.0.1", "2130706433", "1.2.3.4/8", "[::1]", "host.example"])(
  "%j is no address",
  (text) => {
    expect(plainAddress(text)).toBeUndefined();
  },
);

test("an IPv4 address written as IPv6 lies in the same networks, and the other way round", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, base, prefix) => {
      const inside = networksContain([`${base}/${prefix}`])(address);
      expect(networksContain([`${base}/${prefix}`])(`::ffff:${address}`)).toBe(inside);
      expect(networksContain([`::ffff:${base}/${prefix + 96}`])(address)).toBe(inside);
      const mask = prefix === 0 ? 0n : (0xffff_ffffn << BigInt(32 - prefix)) & 0xffff_ffffn;
      expect(inside).toBe((numberOf(address) & mask) === (numberOf(base) & mask));
    }),
  );
});

test("a network of one family never holds an address of the other", () => {
  expect(networksContain(["0.0.0.0/0"])("2001:db8::1")).toBe(false);
  expect(networksContain(["::/0"])("10.0.0.1")).toBe(false);
  expect(networksContain(["2001:db8::/32"])("2001:db8:ffff::1")).toBe(true);
  expect(networksContain(["2001:db8::/32"])("2001:db9::1")).toBe(false);
});

test("a lone address is a network of one", () => {
  const contains = networksContain(["10.0.0.1"]);
  expect(contains("10.0.0.1")).toBe(true);
  expect(contains("10.0.0.2")).toBe(false);
});

test.each([
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/-1",
  "10.0.0.0/8/8",
  "2001:db8::/129",
  "::ffff:10.0.0.0/64",
  "10",
  "",
])("%j is no network", (text) => {
  expect(isNetwork(text)).toBe(false);
  expect(networksContain([text])("10.0.0.1")).toBe(false);
});

function numberOf(ipv4: string): bigint {
  return ipv4.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}
