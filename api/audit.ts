import { isId } from "../domain/ids.ts";
import { listAudit, readNames } from "../ledger/audit-views.ts";
import { verifyAudit } from "../ledger/audit-verify.ts";
import { asJson, type Handlers } from "./deps.ts";
import { findCredentialId, findRotationId } from "./find-credential.ts";

export const auditHandlers: Handlers<"listAudit" | "verifyAudit"> = {
  async listAudit({ query, scope }, { ledger }) {
    const { credential, rotation, before, limit } = query;
    const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, scope, credential);
    const rotationId = rotation === undefined ? undefined : await findRotationId(ledger, scope, rotation);
    const rows = await listAudit(ledger.db, { credentialId, rotationId, before, limit });
    const names = await readNames(
      ledger.db,
      rows.flatMap(({ details }) => idsIn(details)),
    );
    return asJson({ rows, names: Object.fromEntries(names) });
  },

  async verifyAudit({ body }, { ledger, auditKeys }) {
    return { ...(await verifyAudit(ledger, auditKeys, body.anchor)) };
  },
};

function idsIn(content: unknown): readonly string[] {
  if (typeof content === "string") return isId(content) ? [content] : [];
  return typeof content === "object" && content !== null ? Object.values(content).flatMap(idsIn) : [];
}
