import type { Code } from "../../../domain/errors.ts";

/** What Vault is to whoever asks, in the codes of its trouble. */
export interface Side {
  readonly unreachable: Code;
  readonly authFailed: Code;
  /** The token has ended. */
  readonly expired: Code;
  /** It answered, and not as Vault does. */
  readonly unexpected: Code;
  /** Where a person gives its login anew. */
  readonly giveLogin: string;
}

const applied = "apply the connection again with it";

export const sides = {
  issuer: {
    unreachable: "issuer_unreachable",
    authFailed: "issuer_auth_failed",
    expired: "login_expired",
    unexpected: "issuer_unreachable",
    giveLogin: applied,
  },
  target: {
    unreachable: "target_unreachable",
    authFailed: "target_auth_failed",
    expired: "login_expired",
    unexpected: "target_refused",
    giveLogin: applied,
  },
  custody: {
    unreachable: "custody_unreachable",
    authFailed: "custody_auth_failed",
    expired: "custody_auth_failed",
    unexpected: "custody_unreachable",
    giveLogin: "write it into the file that REKEY_CUSTODIES_FILE names for it",
  },
} as const satisfies Record<string, Side>;
