import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { callVault } from "./vault-api.ts";
import { initialisedOn, startVaultNode, type VaultNode, type VaultServer } from "./vault.ts";

/** Two servers of one Vault, of which one is active and the other stands by. */
export interface VaultPair {
  readonly active: VaultServer;
  readonly standby: VaultNode;
  stop(): Promise<void>;
}

/** https://developer.hashicorp.com/vault/docs/configuration/storage/raft */
const raft = (name: string) => (folder: string) => {
  mkdirSync(join(folder, "raft"));
  return { raft: { path: join(folder, "raft"), node_id: name } };
};

export async function startVaultPair(): Promise<VaultPair> {
  const { server: active, unsealKey } = await initialisedOn(await startVaultNode(raft("one")));
  const standby = await startVaultNode(raft("two"));
  const stop = async () => void (await Promise.all([standby.stop(), active.stop()]));
  const end = performance.now() + 60_000;
  const until = async (what: string, isSo: () => Promise<boolean>) => {
    while (!(await isSo().catch(() => false))) {
      if (performance.now() > end) throw new Error(`The second Vault does not ${what}:\n${standby.log()}`);
      await sleep(50);
    }
  };
  const leader = { leader_api_addr: active.address, leader_ca_cert: active.ca };
  try {
    await until("join", async () => (await callVault(standby, "POST", "sys/storage/raft/join", leader)).status === 200);
    await until("stand by", async () => {
      await callVault(standby, "PUT", "sys/unseal", { key: unsealKey });
      return (await callVault(standby, "GET", "sys/health")).status === 429;
    });
    return { active, standby, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
