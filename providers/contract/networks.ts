import { BlockList, isIP } from "node:net";

export interface PlainAddress {
  readonly text: string;
  readonly family: "ipv4" | "ipv6";
}

/**
 * One spelling for each IP address, so that two of them can be compared. An IPv4 address written as IPv6
 * (`::ffff:10.0.0.1`) is the IPv4 one; a zone is dropped. Undefined when the text is no address.
 */
export function plainAddress(text: string): PlainAddress | undefined {
  const bare = text.replace(/%.*$/s, "");
  const version = isIP(bare);
  if (version === 4) return { text: bare, family: "ipv4" };
  if (version !== 6) return undefined;
  const groups = groupsOf(bare);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return { text: dotted(groups, 6), family: "ipv4" };
  return { text: compressed(bare), family: "ipv6" };
}

/** The eight 16-bit groups of an IPv6 address in any valid spelling. */
export function groupsOf(ipv6: string): readonly number[] {
  const [head = "", tail] = compressed(ipv6).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...gap, ...right].map((group) => Number.parseInt(group, 16));
}

/** The IPv4 address in the two groups from `at`. */
export function dotted(groups: readonly number[], at: number): string {
  return [groups[at] ?? 0, groups[at + 1] ?? 0].flatMap((group) => [group >> 8, group & 0xff]).join(".");
}

// The URL parser writes every address in its shortest form, in hex alone.
function compressed(ipv6: string): string {
  return new URL(`http://[${ipv6}]`).hostname.slice(1, -1);
}

interface Network {
  readonly base: PlainAddress;
  readonly prefix: number;
}

function parseNetwork(text: string): Network | undefined {
  const [, address = "", digits] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const base = plainAddress(address);
  if (base === undefined) return undefined;
  const written = isIP(address) === 4 ? 32 : 128;
  const given = digits === undefined ? written : Number(digits);
  if (given > written) return undefined;
  // An IPv4 network written as IPv6 keeps its size: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const prefix = given - written + (base.family === "ipv4" ? 32 : 128);
  return prefix < 0 ? undefined : { base, prefix };
}

/** Whether the text is an address or a network in CIDR form. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** Tells whether an address, in any spelling, lies in one of the networks. Entries that are no network are ignored. */
export function networksContain(networks: readonly string[]): (address: string) => boolean {
  // One list for each family: a common one finds each IPv4 address in ::/0.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of networks.map(parseNetwork))
    if (network !== undefined)
      lists[network.base.family].addSubnet(network.base.text, network.prefix, network.base.family);
  return (address) => {
    const plain = plainAddress(address);
    return plain !== undefined && lists[plain.family].check(plain.text, plain.family);
  };
}
