import { setTimeout as pause } from "node:timers/promises";
import { OperatorNeededError } from "../../domain/errors.ts";
import { readReceiptFacts, type ReceiptFacts } from "../../ledger/receipt-facts.ts";
import type { SealedRow } from "../../ledger/sealed-rows.ts";
import type { ReceiptBody } from "../../receipt/shape.ts";
import { signReceipt } from "../../receipt/sign.ts";
import type { CheckWork } from "../run-check.ts";
import { emergencyOf } from "./receipt-emergency.ts";

/** A sealer comes by each quarter of a second. */
const betweenLooksMs = 200;
const mostLooks = 50;

/** Writes down what the ledger holds of a closed rotation, and signs it. */
export const receipt: CheckWork = async ({ deps, check, context }) => {
  const rotationId = String(check.arguments["rotation"]);
  for (let look = 1; ; look += 1) {
    const facts = await readReceiptFacts(deps.ledger, rotationId);
    if (facts === undefined) throw new OperatorNeededError("not_found", "The rotation is gone. List what there is.");
    const isSealed = [...facts.trail, ...facts.emergency.rows].every(({ hash }) => hash !== null);
    if (isSealed || look === mostLooks)
      return { ok: true, findings: [], result: { receipt: signReceipt(receiptOf(facts), deps.signingKey) } };
    await pause(betweenLooksMs, undefined, { signal: context.signal });
  }
};

/**
 * What is signed, from the rows. The trail is what is sealed, so that it has the say about the outcome and the deaths;
 * nothing is signed that differs from it.
 * @throws {OperatorNeededError} `trail_unfit` when a row is not sealed, or not what was sealed.
 */
function receiptOf(facts: ReceiptFacts): ReceiptBody {
  const { rotation, consumers, verdicts, holds, commands, actors, trail, head } = facts;
  const { outcome, closedAt, credential: name, environment, instance } = rotation;
  const rows = trail.map(sealed);
  const emergency = emergencyOf(facts.emergency, trail, sealed);
  if (outcome === null || closedAt === null || lastOf(trail, "rotation.closed")?.details["outcome"] !== outcome)
    throw unfit("The trail does not say that it was closed with the outcome that its row has.");
  return {
    instance,
    issuedAt: rotation.now,
    credential: { id: rotation.credentialId, name, environment },
    issuer: { kind: rotation.kind, connection: rotation.connection, identity: rotation.identity },
    rotation: {
      id: rotation.id,
      order: rotation.order,
      direction: rotation.direction,
      requestedBy: rotation.requestedBy,
      reason: rotation.reason,
      reservedAt: rotation.reservedAt,
      closedAt,
      outcome,
      from: rotation.from,
      to: rotation.to,
    },
    phases: trail.flatMap(({ action, at }) =>
      isPhase(action) ? [{ phase: action.slice("rotation.".length), at }] : [],
    ),
    consumers: consumers.map((one) => ({
      ...one,
      deliveries: [...one.deliveries],
      evidence: one.evidence.map((each) => ({ ...each, lacks: [...each.lacks] })),
    })),
    verdicts: verdicts.map(({ gaps, ...verdict }) => ({
      ...verdict,
      standing: gaps.standing.map(asGap),
      accepted: gaps.accepted.map((gap) => ({ ...asGap(gap), ...acceptance(holds, gap.key) })),
    })),
    holds: holds.map((hold) => ({ ...hold, gaps: hold.gaps.map(asGap) })),
    commands: [...commands],
    effects: trail.flatMap(({ action, at, details }) => {
      const { target } = details;
      const step = String(details["step"]);
      // What was ended to make room is another version's end.
      const isOther = typeof target === "string" && target.startsWith("older:");
      return action === "operation.done" && atIssuer.has(step) && !isOther ? [{ step, at }] : [];
    }),
    deaths: trail.flatMap(({ action, at, details: { version, code, controls, inRow } }) =>
      action === "version.proven-dead"
        ? [
            {
              ...{ version: Number(version), at, code: String(code), controls: String(controls) },
              inRow: typeof inRow === "number" ? inRow : null,
            },
          ]
        : [],
    ),
    ...(emergency === undefined ? {} : { emergency }),
    actors: [...actors],
    audit: { rows, head },
  };
}

/** Steps that do something at the issuer. Deliveries are told with their consumers. */
const atIssuer = new Set([
  "issue",
  "stage",
  "cut",
  "disable",
  "enable",
  "revoke",
  "end",
  "abandon",
  "unstage",
  "cut-back",
]);

const isPhase = (action: string): boolean => action.startsWith("rotation.");
const lastOf = (trail: readonly SealedRow[], action: string) => trail.findLast((row) => row.action === action);
const asGap = ({ code, key, text }: { code: string; key: string; text: string }) => ({ code, key, text });

/** Who accepted a gap: the last hold with it that was answered so. */
function acceptance(holds: ReceiptFacts["holds"], key: string) {
  const hold = holds.findLast(({ decision, gaps }) => decision === "accept" && gaps.some((gap) => gap.key === key));
  return { by: hold?.decidedBy ?? null, reason: hold?.reason ?? null, acceptedAt: hold?.decidedAt ?? null };
}

function sealed({ id, at, action, position, hash, isGenuine }: SealedRow): ReceiptBody["audit"]["rows"][number] {
  if (hash === null || position === null)
    throw unfit(`Row ${id} has no seal yet. See that a worker runs, then ask again.`);
  if (!isGenuine) throw unfit(`Row ${id} is not what was sealed. Nothing was signed: run \`rekey audit verify\`.`);
  return { id, position, at, action, hash };
}

const unfit = (detail: string) => new OperatorNeededError("trail_unfit", detail);
