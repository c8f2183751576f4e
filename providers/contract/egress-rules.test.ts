import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { denialOf, type EgressRules } from "./egress-rules.ts";

const rules: EgressRules = { allowedLocalPorts: [8080], ownPorts: [7233] };
const overTls = (address: string, port = 443) => denialOf(rules, { address, port, isSecure: true });

describe("metadata services, in each spelling of the address", () => {
  test.each([
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::FFFF:A9FE:A9FE",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "::169.254.169.254",
    "::a9fe:a9fe",
    "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::169.254.169.254",
    "2002:a9fe:a9fe::",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "169.254.170.2",
    "fd00:ec2::254",
    "fd00:0ec2:0:0:0:0:0:254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
  ])("%s is denied", (address) => {
    expect(overTls(address)).toBe("denied-network");
    // Neither a listed port nor an allow-list that holds it opens it.
    const open = { ...rules, allowedNetworks: ["0.0.0.0/0", "::/0"] };
    expect(denialOf(open, { address, port: 8080, isSecure: true })).toBe("denied-network");
  });
});

test.each([
  "0.0.0.0",
  "0.1.2.3",
  "::",
  "224.0.0.1",
  "239.255.255.250",
  "ff02::1",
  "255.255.255.255",
  "fe80::1",
  "240.0.0.1",
])("%s is no single host elsewhere and is denied", (address) => {
  expect(overTls(address)).toBe("denied-network");
});

test.each([
  "",
  "localhost",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "169.254.43518",
  "fe80::1%lo",
  "::1%lo",
  "10.0.0.1\n",
])("%j is not an address, so nothing is guessed", (address) => {
  expect(overTls(address)).toBe("not-an-address");
});

test.each(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"])(
  "loopback (%s) is reached only on a listed port, and there by plain http too",
  (address) => {
    expect(overTls(address)).toBe("local-port");
    expect(denialOf(rules, { address, port: 8080, isSecure: true })).toBeUndefined();
    expect(denialOf(rules, { address, port: 8080, isSecure: false })).toBeUndefined();
  },
);

test("our own ports are never reached on this machine, not even when listed", () => {
  const listed: EgressRules = { allowedLocalPorts: [7233], ownPorts: [7233] };
  expect(denialOf(listed, { address: "127.0.0.1", port: 7233, isSecure: true })).toBe("own-port");
  expect(denialOf(listed, { address: "::ffff:127.0.0.1", port: 7233, isSecure: true })).toBe("own-port");
  const mine = Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .filter(({ internal }) => !internal);
  for (const { address } of mine) expect(denialOf(listed, { address, port: 7233, isSecure: true })).toBe("own-port");
  // The same port of another machine is somebody else's.
  expect(denialOf(listed, { address: "192.0.2.1", port: 7233, isSecure: true })).toBeUndefined();
});

test("plain http leaves the machine on no port, listed or not", () => {
  expect(denialOf(rules, { address: "192.0.2.1", port: 8080, isSecure: false })).toBe("plain-http");
  expect(denialOf(rules, { address: "10.0.0.1", port: 80, isSecure: false })).toBe("plain-http");
});

test("private ranges are reached unless the allow-list says otherwise", () => {
  for (const address of ["10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12:3456::1", "2001:db8::1", "203.0.113.9"])
    expect(overTls(address)).toBeUndefined();
  const narrow = { ...rules, allowedNetworks: ["10.0.0.0/8", "fd12::/32"] };
  const underNarrow = (address: string) => denialOf(narrow, { address, port: 443, isSecure: true });
  expect(underNarrow("10.0.0.1")).toBeUndefined();
  expect(underNarrow("::ffff:10.0.0.1")).toBeUndefined();
  expect(underNarrow("fd12:3456::1")).toBe("not-allowed");
  expect(underNarrow("fd12::1")).toBeUndefined();
  expect(underNarrow("192.168.1.1")).toBe("not-allowed");
});

test("an empty allow-list allows nothing beyond this machine", () => {
  expect(denialOf({ ...rules, allowedNetworks: [] }, { address: "10.0.0.1", port: 443, isSecure: true })).toBe(
    "not-allowed",
  );
});
