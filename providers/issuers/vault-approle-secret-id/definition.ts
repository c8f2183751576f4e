import type { IssuerDefinition } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField } from "../../contract/value.ts";
import { vaultFields } from "../../systems/vault/connection.ts";
import { lookAround } from "../../systems/vault/look.ts";
import { sides } from "../../systems/vault/side.ts";
import { openVault } from "../../systems/vault/vault.ts";
import {
  complete,
  configSchema,
  connectionSchema,
  fields,
  handleOf,
  type ConnectionConfig,
  type CredentialConfig,
} from "./config.ts";
import { mostLive } from "./effects.ts";
import { endedCode } from "./probe.ts";
import { openSession } from "./session.ts";

/** Secret ids of a role, which Vault mints and shows once. */
export const vaultApproleSecretId: IssuerDefinition<ConnectionConfig, CredentialConfig> = {
  kind: "vault-approle-secret-id",
  title: "Secret id of an AppRole in Vault",
  facts: {
    chooser: "issuer",
    slots: { overlap: mostLive },
    inactiveCounts: false,
    repeatedIssue: "new-version",
    activationLagMs: 0,
    deactivationLagMs: 0,
    endedCodes: [endedCode],
    usage: { covers: "snapshot", grain: "version" },
    sessionsOutliveRevocation: true,
    lateCallsRefusedBy:
      "an accessor, which names one secret id for ever; one that a late call mints is found by operation key and claim in its metadata",
  },
  fields,
  authenticator: "secret_id",
  adminFields: vaultFields,
  connectionSchema,
  configSchema,
  orderOf: () => "overlap",
  principalsOf: ({ mount, role }) => [`${mount}/${role}`],
  adminPrincipalOf: () => "",
  handleOf,
  adoptedFields: ["role_id", "secret_id", "accessor"],
  complete,
  open: openSession,
  async look({ connection: settings, admin }, { signal, fetch }) {
    const secret = async () => Promise.resolve(new Secret(revealField(admin, "secret")));
    const vault = openVault({ settings, secret, fetch, side: sides.issuer });
    try {
      return await lookAround(vault, signal);
    } finally {
      await vault.close(signal);
    }
  },
};
