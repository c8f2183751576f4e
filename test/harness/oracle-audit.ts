import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openSigningKeys } from "../../custody/signing-key-file.ts";
import { verifyAudit } from "../../ledger/audit-verify.ts";
import type { AskLedger, Books } from "./oracle-books.ts";

/** In the order in which a rotation of each order reaches them. Written out: the product's own list may be wrong. */
const phases = {
  overlap: "issued delivered adopted promoted drained disabled revoking revoked proven closed",
  "single-slot": "staged cut delivered adopted promoted drained ended proven closed",
} as const;

/** The trail verifies, each effect and each phase stands in it exactly once, and each death with its control. */
export async function brokenAudit(scene: Books): Promise<readonly string[]> {
  const { ledger, rotationId, order, outcome } = scene;
  const breaches = [...(await brokenChain(scene))];
  const rows = await ledger("SELECT action, details FROM audit WHERE rotation_id = $1 ORDER BY id", [rotationId]);
  const times = (action: string): number => rows.filter((row) => row["action"] === action).length;
  const wanted = outcome === "proven" ? phases[order].split(" ") : ["closed"];
  for (const phase of ["reserved", ...wanted])
    if (times(`rotation.${phase}`) !== 1)
      breaches.push(`invariant 15: the phase ${phase} has ${times(`rotation.${phase}`)} audit rows.`);
  if (times("operation.intended") === 0) breaches.push("invariant 15: the rotation has no intent at all.");
  const deaths = rows.filter(({ action }) => action === "version.proven-dead").map(({ details }) => details as Death);
  if (outcome === "proven" && deaths.length !== 1)
    breaches.push(`invariant 5: the rotation is proven, and says ${deaths.length} times what died.`);
  return [...breaches, ...uncontrolled(deaths), ...(await unrecordedOperations(ledger, rotationId))];
}

/** The same of all rotations of a credential, of which an emergency may have changed the order and the direction. */
export async function brokenDeaths(
  { world, ledger, orders }: Pick<Books, "world" | "ledger"> & { readonly orders: { readonly credentialId: string } },
  rotations: readonly Pick<Books, "rotationId">[],
): Promise<readonly string[]> {
  const rows = await ledger("SELECT action, details FROM audit WHERE credential_id = $1", [orders.credentialId]);
  const deaths = rows.filter(({ action }) => action === "version.proven-dead").map(({ details }) => details as Death);
  const leaked = await ledger(
    "SELECT number FROM versions WHERE credential_id = $1 AND compromised_at IS NOT NULL ORDER BY number",
    [orders.credentialId],
  );
  const breaches = [...(await brokenChain({ world })), ...uncontrolled(deaths)];
  for (const { number } of leaked) {
    const times = deaths.filter(({ version }) => version === number).length;
    if (times !== 1) breaches.push(`invariant 5: that version ${String(number)} died is said ${times} times.`);
  }
  for (const { rotationId } of rotations)
    breaches.push(...(await unrecordedOperations(ledger, rotationId, { mayRepeat: true })));
  return breaches;
}

interface Death {
  readonly version: number;
  readonly code: string;
  readonly controls: string;
}

/** A refusal shows something only beside a login that was let in; a key of which nobody has the value, a list with the other. */
function uncontrolled(deaths: readonly Death[]): readonly string[] {
  return deaths
    .filter(({ code, controls }) => !(code === "not_listed" ? /: listed$/ : /: accepted(?:;|$)/).test(controls))
    .map(
      ({ version, code, controls }) =>
        `invariant 5: version ${version} is called dead by ${code} with no control beside it (${controls}).`,
    );
}

/**
 * Intents and what became of them against their audit rows; holds at every moment, not only at the end. A rotation that an
 * emergency has changed takes some steps again, each time with a row.
 */
export async function unrecordedOperations(
  ledger: AskLedger,
  rotationId: string,
  { mayRepeat = false }: { readonly mayRepeat?: boolean } = {},
): Promise<readonly string[]> {
  const breaches = [];
  const operations = await ledger(
    `SELECT o.step, o.state, i.rows AS intended, d.rows AS done FROM operations o,
       LATERAL (SELECT count(*)::int AS rows FROM audit WHERE rotation_id = o.rotation_id AND action = 'operation.intended'
         AND details ->> 'step' = o.step AND details ->> 'target' = o.target) i,
       LATERAL (SELECT count(*)::int AS rows FROM audit WHERE rotation_id = o.rotation_id AND action = 'operation.done'
         AND details ->> 'step' = o.step AND details ->> 'target' = o.target) d
     WHERE o.rotation_id = $1`,
    [rotationId],
  );
  for (const { step, state, intended, done } of operations) {
    if (mayRepeat ? Number(intended) < 1 : intended !== 1)
      breaches.push(`invariant 15: the intent of ${String(step)} has ${String(intended)} audit rows.`);
    const wanted = state === "done" ? 1 : 0;
    if (mayRepeat ? Number(done) < wanted : done !== wanted)
      breaches.push(`invariant 15: ${String(step)} is ${String(state)} and has ${String(done)} audit rows.`);
  }
  return breaches;
}

async function brokenChain({ world }: Pick<Books, "world">): Promise<readonly string[]> {
  const { publicKeys } = await openSigningKeys(join(world.folder, "keys", "audit.json"), { create: false });
  const end = performance.now() + 20_000;
  for (;;) {
    const verdict = await verifyAudit(world.ledger, publicKeys);
    if (!verdict.ok) return [`invariant 15: the audit trail does not verify: row ${verdict.rowId}, ${verdict.fault}.`];
    if (verdict.unsealed === 0) return [];
    if (performance.now() > end) return [`invariant 15: ${verdict.unsealed} audit rows are not sealed.`];
    await pause(50);
  }
}
