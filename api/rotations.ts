import type { Command } from "../domain/command.ts";
import { needsReason } from "../domain/hold.ts";
import { giveCommand } from "../ledger/commands.ts";
import { reserveRotations } from "../ledger/reserve-rotations.ts";
import { listRotations, readRotation } from "../ledger/rotation-views.ts";
import { asJson, type Handlers } from "./deps.ts";
import { findCredentialId, findRotationId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";
import { readDetail } from "./rotation-detail.ts";
import { planOf } from "./rotation-plan.ts";
import { refuseSecretReason } from "./refuse-secret-reason.ts";

type Names = "planRotation" | "reserveRotation" | "listRotations" | "showRotation" | "giveCommand";

const gone = () => new ProblemError("not_found", "There is no such rotation. List them: rekey rotation list");

export const rotationHandlers: Handlers<Names> = {
  planRotation: ({ params, scope }, deps) => planOf(deps, scope, params.credential),

  async reserveRotation({ params, body, actor, scope }, deps) {
    const { ledger } = deps;
    const credentialId = await findCredentialId(ledger, scope, params.credential);
    await refuseSecretReason(deps, credentialId, body.reason);
    const { reserved, refused } = await reserveRotations(ledger, [
      { credentialId, requestedBy: actor, reason: body.reason },
    ]);
    const [refusal] = refused;
    if (refusal !== undefined) throw new ProblemError(refusal.code, refusal.detail);
    const [rotation] = reserved;
    const record = rotation && (await readRotation(ledger.db, scope, rotation.rotationId));
    if (rotation === undefined || record === undefined) throw gone();
    return asJson({ ...record, isNew: rotation.isNew });
  },

  async listRotations({ query, scope }, { ledger }) {
    const { credential, open, before, limit } = query;
    const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, scope, credential);
    const rotations = await listRotations(ledger.db, { scope, credentialId, onlyOpen: open === "true", before, limit });
    return asJson({ rotations });
  },

  async showRotation({ params, scope }, deps) {
    const detail = await readDetail(deps, scope, await findRotationId(deps.ledger, scope, params.rotation));
    if (detail === undefined) throw gone();
    return detail;
  },

  async giveCommand({ params, body, actor, scope }, deps) {
    const { ledger } = deps;
    const rotationId = await findRotationId(ledger, scope, params.rotation);
    const record = await readRotation(ledger.db, scope, rotationId);
    if (record === undefined) throw gone();
    await refuseSecretReason(deps, record.credentialId, body.reason);
    const command: Command = body.command;
    if (command.kind === "decide" && needsReason(command.decision) && body.reason.trim() === "")
      throw new ProblemError(
        "request_invalid",
        `Say why, with a reason (--reason "…"): ${command.decision} is recorded in your name.`,
      );
    const answer = await giveCommand(ledger, { rotationId, command, actor, reason: body.reason });
    if (answer === undefined) throw gone();
    if (!answer.ok) throw new ProblemError("command_refused", answer.reason);
    return { commandId: answer.commandId, isNew: answer.isNew, rotationId };
  },
};
