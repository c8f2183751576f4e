import { networkInterfaces } from "node:os";
import { dotted, groupsOf, networksContain, plainAddress } from "./networks.ts";

export interface EgressRules {
  /** Ports on which loopback may be reached, by plain http too. None by default. */
  readonly allowedLocalPorts: readonly number[];
  /** Ports that rekey itself listens on: never reached on this machine, whatever else is allowed. */
  readonly ownPorts: readonly number[];
  /** Networks in CIDR form; when given, nothing else is reached. Private ranges are allowed without it. */
  readonly allowedNetworks?: readonly string[];
}

/** Why an address is not connected to. For the worker's log; callers learn `refused`. */
export type EgressDenial =
  | "not-an-address"
  | "denied-network"
  | "own-port"
  | "local-port"
  | "plain-http"
  | "not-allowed";

// Services that answer anybody who can reach them with keys to the machine, and what is no single host at all.
const isDenied = networksContain([
  "0.0.0.0/8", // "this host": connects to loopback
  "169.254.0.0/16", // link-local; 169.254.169.254 and .170.2 are metadata services
  "192.0.0.192", // Oracle Cloud metadata
  "100.100.100.200", // Alibaba Cloud metadata
  "168.63.129.16", // Azure's host agent
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved and broadcast
  "::", // unspecified: connects to loopback
  "fe80::/10", // link-local
  "ff00::/8", // multicast
  "fd00:ec2::/32", // AWS metadata (::254, ::23)
  "fd20:ce::254", // Google Cloud metadata
  "fd00:42::42", // Scaleway metadata
  "2001::/32", // Teredo hides an IPv4 address
]);
const isLoopback = networksContain(["127.0.0.0/8", "::1"]);

// IPv6 networks whose addresses stand for an IPv4 one, with the group where it begins.
const embeddings = [
  { holds: networksContain(["::/96"]), at: 6 }, // IPv4-compatible
  { holds: networksContain(["::ffff:0:0:0/96"]), at: 6 }, // IPv4-translated
  { holds: networksContain(["64:ff9b::/96", "64:ff9b:1::/48"]), at: 6 }, // NAT64
  { holds: networksContain(["2002::/16"]), at: 1 }, // 6to4
];

export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** Judges the address that is about to be connected, never a name. Undefined means allowed. */
export function denialOf(rules: EgressRules, { address, port, isSecure }: Destination): EgressDenial | undefined {
  const plain = plainAddress(address);
  // A zone picks an interface; only link-local addresses need one.
  if (plain === undefined || address.includes("%")) return "not-an-address";
  const stands = [plain.text, ...embedded(plain.text, plain.family)];
  if (rules.ownPorts.includes(port) && stands.some((text) => isLoopback(text) || isOwn(text))) return "own-port";
  if (stands.some(isLoopback)) return rules.allowedLocalPorts.includes(port) ? undefined : "local-port";
  if (stands.some(isDenied)) return "denied-network";
  if (!isSecure) return "plain-http";
  if (rules.allowedNetworks !== undefined && !networksContain(rules.allowedNetworks)(plain.text)) return "not-allowed";
  return undefined;
}

function embedded(text: string, family: "ipv4" | "ipv6"): string[] {
  if (family === "ipv4" || text === "::1") return [];
  return embeddings.filter(({ holds }) => holds(text)).map(({ at }) => dotted(groupsOf(text), at));
}

function isOwn(text: string): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => plainAddress(address)?.text === text),
  );
}
