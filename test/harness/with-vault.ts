import { afterAll, beforeAll, beforeEach } from "vitest";
import { needs } from "./needs.ts";
import { hasVault, noVault, startVault, type VaultServer } from "./vault.ts";

/** One server for a test file; its tests are skipped, with the reason, where there is none. */
export function withVault(): () => VaultServer {
  let vault: VaultServer | undefined;
  beforeAll(async () => {
    if (hasVault) vault = await startVault();
  }, 120_000);
  beforeEach((context) => needs(context, hasVault, noVault));
  afterAll(() => vault?.stop());
  return () => {
    if (vault === undefined) throw new Error(noVault);
    return vault;
  };
}
