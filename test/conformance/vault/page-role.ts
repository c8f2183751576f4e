import { randomBytes } from "node:crypto";
import type { VaultServer } from "../../harness/vault.ts";
import { roleOnPage } from "./page-policies.ts";

type Data = Readonly<Record<string, string>>;

/** A login as docs/vault.md makes it for a consumer or custody, with this policy, and how many tokens Vault keeps. */
export async function roleAsOnPage(vault: VaultServer, policyText: string) {
  const mount = `approle-${randomBytes(4).toString("hex")}`;
  const read = async (method: string, path: string) =>
    ((await vault.must(method, path, method === "POST" ? {} : undefined)) as { readonly data: Data }).data;
  await vault.must("POST", `sys/auth/${mount}`, { type: "approle" });
  await vault.must("PUT", `sys/policies/acl/${mount}`, { policy: policyText });
  const role = `auth/${mount}/role/rekey`;
  await vault.must("POST", role, roleOnPage(mount));
  const { role_id: roleId = "" } = await read("GET", `${role}/role-id`);
  const { secret_id: secretId = "" } = await read("POST", `${role}/secret-id`);
  return {
    approle: { mount, roleId },
    secretId,
    async tokens() {
      const { data } = (await vault.must("GET", "auth/token/accessors?list=true")) as {
        readonly data: { readonly keys: readonly string[] };
      };
      return data.keys.length;
    },
  };
}
