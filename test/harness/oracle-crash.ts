import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { unrecordedOperations } from "./oracle-audit.ts";
import { withLedger } from "./oracle-books.ts";
import type { Registered } from "./registered.ts";
import type { World } from "./world.ts";

/** What an outsider sees between the death of one worker and the start of the next. */
export interface AtCrash {
  readonly breaches: readonly string[];
  /** SCRAM verifiers that the issuer holds, by role. */
  readonly verifiers: ReadonlyMap<string, string>;
}

export async function lookAtCrash(world: World, orders: Registered, rotationId: string): Promise<AtCrash> {
  return withLedger(world.ledgerUrl, async (ledger) => {
    const breaches = await unrecordedOperations(ledger, rotationId);
    const names = [orders.owner, ...orders.logins].map((name) => `'${name}'`).join();
    const roles = await world.issuer.ask(
      `SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname IN (${names})`,
    );
    return {
      breaches,
      verifiers: new Map(roles.map(({ rolname, rolpassword }) => [String(rolname), String(rolpassword)])),
    };
  });
}

/** A rotation that went on has to end with the very value that was in force when its worker died. */
export function lostValues(
  { verifiers }: AtCrash,
  { shop }: Registered,
  outcome: "proven" | "undone",
): readonly string[] {
  if (outcome === "undone") return [];
  const { held } = shop.report();
  return [...verifiers]
    .filter(([role, verifier]) => !held.some(({ user, password }) => user === role && isVerifierOf(verifier, password)))
    .map(([role]) => `invariant 3: the value that ${role} had at the crash was never delivered to anybody.`);
}

/** RFC 5803: `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`. */
function isVerifierOf(verifier: string, password: string): boolean {
  const [, iterations, salt, stored] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/.exec(verifier) ?? [];
  if (iterations === undefined || salt === undefined || stored === undefined) return false;
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(iterations), 32, "sha256");
  const key = createHmac("sha256", salted).update("Client Key").digest();
  return createHash("sha256").update(key).digest("base64") === stored;
}
