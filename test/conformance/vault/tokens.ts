import { revealField, type Value } from "../../../providers/contract/value.ts";
import type { VaultServer } from "../../harness/vault.ts";
import type { OpenedSession } from "../issuer-world.ts";

/** Tokens of applications, as somebody outside makes and counts them. */
export interface AppTokens {
  logsIn(value: Value): Promise<"accepted" | "refused">;
  open(value: Value): Promise<OpenedSession>;
  /** Tokens that live and were made with this very secret id. */
  countOf(value: Value): Promise<number>;
}

interface LoginReply {
  readonly auth: { readonly client_token: string; readonly accessor: string };
}

export function appTokens(vault: VaultServer, mount: string): AppTokens {
  const made: { readonly secretId: string; readonly token: string }[] = [];
  const isOpen = async (token: string) =>
    (await vault.call("GET", "auth/token/lookup-self", undefined, { token })).status === 200;
  const login = async (value: Value) => {
    const json = { role_id: revealField(value, "role_id"), secret_id: revealField(value, "secret_id") };
    const { status, body } = await vault.call("POST", `auth/${mount}/login`, json, { token: "" });
    return status === 200 ? (body as unknown as LoginReply).auth.client_token : undefined;
  };
  return {
    async logsIn(value) {
      const token = await login(value);
      if (token === undefined) return "refused";
      await vault.must("POST", "auth/token/revoke-self", {}, { token });
      return "accepted";
    },
    async open(value) {
      const token = await login(value);
      if (token === undefined) throw new Error("the application is not let in");
      made.push({ secretId: revealField(value, "secret_id"), token });
      return { isOpen: async () => isOpen(token) };
    },
    async countOf(value) {
      const own = made.filter(({ secretId }) => secretId === revealField(value, "secret_id"));
      const open = await Promise.all(own.map(async ({ token }) => isOpen(token)));
      return open.filter(Boolean).length;
    },
  };
}
