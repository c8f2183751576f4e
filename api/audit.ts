import { listAudit } from "../ledger/audit-views.ts";
import { verifyAudit } from "../ledger/audit-verify.ts";
import { asJson, type Handlers } from "./deps.ts";
import { findCredentialId, findRotationId } from "./find-credential.ts";

export const auditHandlers: Handlers<"listAudit" | "verifyAudit"> = {
  async listAudit({ query }, { ledger }) {
    const { credential, rotation, before, limit } = query;
    const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, credential);
    const rotationId = rotation === undefined ? undefined : await findRotationId(ledger, rotation);
    return asJson({ rows: await listAudit(ledger.db, { credentialId, rotationId, before, limit }) });
  },

  async verifyAudit({ body }, { ledger, auditKeys }) {
    return { ...(await verifyAudit(ledger, auditKeys, body.anchor)) };
  },
};
