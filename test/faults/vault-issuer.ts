import { randomUUID } from "node:crypto";
import { Secret } from "../../providers/contract/secret.ts";
import { policyOnPage } from "../conformance/vault/page-policies.ts";
import type { TlsServer } from "../harness/proxy/tls.ts";
import { callVault } from "../harness/vault-api.ts";
import type { VaultServer } from "../harness/vault.ts";
import type { MintingIssuer } from "./minted-principal.ts";

/** Roles of an AppRole method each, at a real Vault; looked at with its root token. `line`: how rekey reaches it. */
export function vaultIssuer(vault: VaultServer, line: TlsServer = { url: vault.address, ca: vault.ca }): MintingIssuer {
  return async (mark) => {
    const mount = `approle-${mark}`;
    await vault.must("POST", `sys/auth/${mount}`, { type: "approle" });
    const role = `auth/${mount}/role/orders`;
    await vault.must("POST", role, { token_ttl: "1h" });
    const own = await vault.tokenWith(policyOnPage("issuer", { "auth/approle/": `auth/${mount}/` }));
    const { role_id: roleId = "" } = dataOf(await vault.must("GET", `${role}/role-id`));
    const made = dataOf(await vault.must("POST", `${role}/secret-id`, {}));
    const { secret_id: secretId = "", secret_id_accessor: accessor = "" } = made;
    return {
      kind: "vault-approle-secret-id",
      connection: {
        settings: { address: line.url, ca: line.ca },
        secret: { secret: new Secret(own) },
        principal: "",
      },
      config: { mount, role: "orders" },
      principals: [`${mount}/orders`],
      today: { role_id: roleId, secret_id: new Secret(secretId), accessor },
      keys: { ROLE_ID: "role_id", SECRET_ID: "secret_id" },
      held: { ROLE_ID: roleId, SECRET_ID: secretId },
      secrets: [own],
      refusals: { ended: "400", wrong: "400" },
      nameOf: (handle) => handle.split(".")[0] ?? "",
      wrong: (login) => ({ ...login, SECRET_ID: randomUUID() }),
      async live() {
        const { status, body } = await vault.call("GET", `${role}/secret-id?list=true`);
        return status === 404 ? [] : (body["data"] as { readonly keys: readonly string[] }).keys;
      },
      async logsIn({ ROLE_ID: role_id, SECRET_ID: secret_id }) {
        const { status, body } = await callVault(vault, "POST", `auth/${mount}/login`, { role_id, secret_id });
        if (status !== 200) return String(status);
        const { client_token: token } = body["auth"] as { readonly client_token: string };
        // What it leaves behind would count as a user of the version.
        await callVault({ ...vault, token }, "POST", "auth/token/revoke-self", {});
        return "accepted";
      },
    };
  };
}

const dataOf = (body: Readonly<Record<string, unknown>>) => body["data"] as Readonly<Record<string, string>>;
