import type { Finding, PreflightRequest } from "../../contract/issuer.ts";
import { missingRights } from "./rights.ts";
import type { Scope } from "./scope.ts";

export async function preflight(scope: Scope, _request: PreflightRequest): Promise<readonly Finding[]> {
  return scope.admin.work("checking before the rotation", (work) => missingRights(work, scope));
}
