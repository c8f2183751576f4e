import type { Role } from "../domain/role.ts";
import type { RouteName } from "./route-table.ts";

type Access = "everyone" | readonly Role[];

/** Who may call each route. A role that is not named may not, and a route without a line does not compile. */
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
  listCredentials: ["admin", "operator", "responder", "auditor"],
  showCredential: ["admin", "operator", "responder", "auditor"],
  adoptCredential: ["admin", "operator"],
  moveCredential: ["admin", "operator"],
  listConsumers: ["admin", "operator", "responder", "auditor"],
  showConsumer: ["admin", "operator", "responder", "auditor"],
  testConsumer: ["admin", "operator", "responder"],

  // rotations
  planRotation: ["admin", "operator", "responder", "auditor"],
  reserveRotation: ["admin", "operator", "responder"],
  listRotations: ["admin", "operator", "responder", "auditor"],
  showRotation: ["admin", "operator", "responder", "auditor"],
  giveCommand: ["admin", "operator", "responder"],

  // when rotations happen by themselves
  explainPolicy: ["admin", "operator", "responder", "auditor"],
  showCalendar: ["admin", "operator", "responder", "auditor"],
  listFreezes: ["admin", "operator", "responder", "auditor"],
  declareFreeze: ["admin", "operator"],
  endFreeze: ["admin", "operator"],
  showMetrics: ["admin", "operator", "responder", "auditor", "metrics"],
  showStatus: ["admin", "operator", "responder", "auditor"],

  // looks outside
  startDoctor: ["admin", "operator", "responder"],
  showDoctor: ["admin", "operator", "responder", "auditor"],
  showCheck: ["admin", "operator", "responder", "auditor"],

  // rekey itself
  recordKeyCopy: ["admin"],
  listAudit: ["admin", "operator", "responder", "auditor"],
  verifyAudit: ["admin", "operator", "responder", "auditor"],
  createToken: ["admin"],
  listTokens: ["admin"],
  revokeToken: ["admin"],
};

/** `role` may be any text: one that nobody knows may call nothing. */
export function mayCall(role: string, route: RouteName): boolean {
  const allowed = access[route];
  return allowed === "everyone" || allowed.some((one) => one === role);
}
