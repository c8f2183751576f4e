import { requestCheck } from "../ledger/checks.ts";
import { transact } from "../ledger/database.ts";
import { readRotation } from "../ledger/rotation-views.ts";
import type { Handlers } from "./deps.ts";
import { findRotationId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";

export const receiptHandlers: Handlers<"requestReceipt" | "showAuditKeys"> = {
  async requestReceipt({ params, actor, scope }, { ledger }) {
    const rotationId = await findRotationId(ledger, scope, params.rotation);
    const found = await readRotation(ledger.db, scope, rotationId);
    if (found === undefined)
      throw new ProblemError("not_found", "There is no such rotation. List them: rekey rotation list");
    // It names every consumer and whoever decided: more than who shares the credential gets to see.
    if (found.isShared)
      throw new ProblemError("forbidden", "Its receipt is for the team that owns the credential. Ask that one for it.");
    if (found.outcome === null)
      throw new ProblemError(
        "command_refused",
        `The rotation is open, in phase ${found.phase}, and a receipt is of a closed one. Follow it: rekey rotation watch ${rotationId}`,
      );
    const asked = { kind: "receipt", subjectId: found.credentialId, arguments: { rotation: rotationId } } as const;
    const checkId = await transact(ledger, (trx) => requestCheck(trx, { ...asked, requestedBy: actor }));
    return { checkId, rotationId };
  },

  showAuditKeys(_call, { auditKeys }) {
    const keys = [...auditKeys].map(([id, key]) => {
      const { kty = "", crv = "", x = "" } = key.export({ format: "jwk" });
      return { id, jwk: { kty, crv, x } };
    });
    return Promise.resolve({ keys });
  },
};
