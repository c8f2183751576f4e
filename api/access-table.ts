import type { Role } from "../domain/role.ts";
import type { RouteName } from "./route-table.ts";

type Access = "everyone" | readonly Role[];

/** Who may call each route; a team gets and touches only what its scope reaches (`ledger/scope.ts`). A role that is not named may not, and a route without a line does not compile. */
export const access: Readonly<Record<RouteName, Access>> = {
  health: "everyone",

  // what is registered
  applyManifests: ["admin", "operator"],
  exportManifests: ["admin", "operator", "responder", "auditor"],
  deleteRegistered: ["admin", "operator"],
  showManifestSchema: ["admin", "operator", "responder", "team", "auditor"],
  startInit: ["admin", "operator"],
  showGrants: ["admin", "operator"],

  // credentials and consumers
  listCredentials: ["admin", "operator", "responder", "team", "auditor"],
  showCredential: ["admin", "operator", "responder", "team", "auditor"],
  adoptCredential: ["admin", "operator"],
  moveCredential: ["admin", "operator"],
  listConsumers: ["admin", "operator", "responder", "team", "auditor"],
  showConsumer: ["admin", "operator", "responder", "team", "auditor"],
  testConsumer: ["admin", "operator", "responder", "team"],
  listProposals: ["admin", "operator", "responder", "team", "auditor"],
  showProposal: ["admin", "operator", "responder", "team", "auditor"],
  dismissProposal: ["admin", "operator", "responder", "team"],
  retireConsumer: ["admin", "operator", "team"],
  acknowledgeConsumer: ["admin", "operator", "responder", "team"],

  // who decides where a value goes
  registerConsumer: ["admin", "operator", "team"],
  shareCredential: ["admin", "operator", "team"],
  unshareCredential: ["admin", "operator", "team"],
  listGrants: ["admin", "operator", "responder", "team", "auditor"],
  showGrant: ["admin", "operator", "responder", "team", "auditor"],
  approveGrant: ["admin", "operator", "team"],
  refuseGrant: ["admin", "operator", "team"],
  withdrawGrant: ["admin", "operator", "team"],

  // rotations
  planRotation: ["admin", "operator", "responder", "team", "auditor"],
  reserveRotation: ["admin", "operator", "responder"],
  listRotations: ["admin", "operator", "responder", "team", "auditor"],
  showRotation: ["admin", "operator", "responder", "team", "auditor"],
  giveCommand: ["admin", "operator", "responder"],
  requestReceipt: ["admin", "operator", "responder", "team", "auditor"],

  // what has leaked
  checkLeaks: ["admin", "operator", "responder"],
  previewEmergency: ["admin", "operator", "responder"],
  declareEmergency: ["admin", "operator", "responder"],
  listEmergencies: ["admin", "operator", "responder", "auditor"],
  releaseConsumer: ["admin", "operator", "responder"],

  // when rotations happen by themselves
  explainPolicy: ["admin", "operator", "responder", "auditor"],
  showCalendar: ["admin", "operator", "responder", "team", "auditor"],
  listFreezes: ["admin", "operator", "responder", "auditor"],
  declareFreeze: ["admin", "operator"],
  endFreeze: ["admin", "operator"],
  showMetrics: ["admin", "operator", "responder", "auditor", "metrics"],
  showStatus: ["admin", "operator", "responder", "auditor"],

  // who is told what happens
  listNotices: ["admin", "operator", "responder", "team", "auditor"],
  showNotice: ["admin", "operator", "responder", "team", "auditor"],
  listNoticeDeliveries: ["admin", "operator", "responder", "team", "auditor"],
  testNotice: ["admin", "operator", "responder", "team"],

  // looks outside
  startDoctor: ["admin", "operator", "responder"],
  showDoctor: ["admin", "operator", "responder", "auditor"],
  showCheck: ["admin", "operator", "responder", "team", "auditor"],

  // rekey itself
  recordKeyCopy: ["admin"],
  listAudit: ["admin", "operator", "responder", "auditor"],
  verifyAudit: ["admin", "operator", "responder", "auditor"],
  showAuditKeys: ["admin", "operator", "responder", "team", "auditor"],
  createToken: ["admin"],
  listTokens: ["admin"],
  revokeToken: ["admin"],
};

/** `role` may be any text: one that nobody knows may call nothing. */
export function mayCall(role: string, route: RouteName): boolean {
  const allowed = access[route];
  return allowed === "everyone" || allowed.some((one) => one === role);
}
