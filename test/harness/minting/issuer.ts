import { z } from "zod";
import { referenceIssuer } from "../../conformance/reference/issuer.ts";
import { catalog } from "../../../providers/catalog.ts";
import type { IssuerDefinition } from "../../../providers/contract/issuer.ts";
import { httpWire } from "./wire.ts";

const admin = "admin";

/**
 * An issuer that makes the value itself, for tests alone: the reference issuer on a server that is reached by HTTP. Its
 * lag is a fact of a kind, so each lag is a kind of its own. Milliseconds.
 */
export function mintedKey(lagMs: number): IssuerDefinition {
  const reached = {
    lagMs,
    capacity: 2,
    adminName: admin,
    wire: ({ url }: { readonly url: string }, secret: string, signal: AbortSignal) =>
      httpWire(url, { name: admin, secret }, signal),
  };
  const right = referenceIssuer(reached, [], z.strictObject({ url: z.url() }));
  return { ...right, kind: `minted-key-${lagMs}` };
}

/** This process knows them from now on: one that answers at once, and one with a lag. */
export function addMintedKinds(): void {
  for (const lagMs of [0, 400]) Object.assign(catalog.issuers, { [mintedKey(lagMs).kind]: mintedKey(lagMs) });
}
