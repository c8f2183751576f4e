import { z } from "zod";
import type { ConnectionLook } from "../../contract/connection.ts";
import type { Finding } from "../../contract/issuer.ts";
import { capabilitiesOn } from "./capabilities.ts";
import { failureOf } from "./failure.ts";
import { placeOf } from "./connection.ts";
import { healthOf } from "./health.ts";
import type { Right } from "./rights.ts";
import { parsedAs, type Vault } from "./vault.ts";

const selfRight: Right = { path: "auth/token/lookup-self", capabilities: ["read"] };
const self = z.object({
  data: z.object({ policies: z.array(z.string()), identity_policies: z.array(z.string()).nullish() }),
});

/** Paths of administrators: no rotation and no delivery needs any of them. */
const unneededPaths = ["sys/policies/acl/rekey", "sys/auth/rekey", "sys/mounts/rekey", "auth/token/create"];

async function tooMuch(vault: Vault, signal: AbortSignal): Promise<readonly Finding[]> {
  const answer = await vault.ask({ path: selfRight.path, right: selfRight }, signal);
  const { policies, identity_policies: more } = parsedAs(vault, self, answer, selfRight).data;
  const found = await capabilitiesOn(vault, unneededPaths, signal);
  const may = unneededPaths.filter((path) => (found[path] ?? []).some((word) => word !== "deny"));
  if (may.length === 0) return [];
  const all = [...policies, ...(more ?? [])];
  const what = all.includes("root")
    ? "It is a root token, which may do everything"
    : `Its policies (${all.join(", ")}) allow it ${may.join(", ")}`;
  return [
    {
      code: "right_unneeded",
      detail: `${what}, which no rotation and no delivery needs. Give the connection an AppRole of its own with only the policy that the documentation prints.`,
    },
  ];
}

async function serverOf(vault: Vault, signal: AbortSignal) {
  const health = await healthOf(vault, signal);
  if (health?.cluster_id !== undefined) return { ...health, identity: `vault:${health.cluster_id}` };
  // Sealed, it does not say.
  throw await failureOf(vault, { outcome: "reached", status: 503 }, "ask which Vault it is", signal);
}

/** The same for every node of a cluster, and no other's. */
export async function identityOf(vault: Vault, signal: AbortSignal): Promise<string> {
  return (await serverOf(vault, signal)).identity;
}

/** What answers at the address, and what the login may do there. Reads only. */
export async function lookAround(vault: Vault, signal: AbortSignal): Promise<ConnectionLook> {
  // First, so that a server that is sealed or stands by is named as such.
  const findings = await tooMuch(vault, signal);
  const { identity, version, server_time_utc: seconds } = await serverOf(vault, signal);
  return {
    identity,
    about: `Vault ${version} at ${placeOf(vault.settings)}, over TLS`,
    at: new Date(seconds * 1000).toISOString(),
    findings,
  };
}
