import type { IssuerDefinition } from "../../contract/issuer.ts";
import {
  adminFields,
  configSchema,
  connectionSchema,
  fields,
  handleOf,
  isOverlap,
  principalsOf,
  type ConnectionConfig,
  type CredentialConfig,
} from "./config.ts";
import { init } from "./init/inspect.ts";
import { lookAround } from "./look.ts";
import { completeValue } from "./new-value.ts";
import { refusedBySecret } from "./probe.ts";
import { openSession } from "./session.ts";
import { watchedStayMs } from "./watch.ts";

/** Logins of PostgreSQL 15 and newer: two of one owner role in turn, or one whose password is replaced. */
export const postgresRole: IssuerDefinition<ConnectionConfig, CredentialConfig> = {
  kind: "postgres-role",
  title: "PostgreSQL login",
  facts: {
    chooser: "rekey",
    slots: { overlap: 2, "single-slot": 1 },
    inactiveCounts: true,
    canDisable: true,
    repeatedIssue: "same-version",
    activationLagMs: 0,
    deactivationLagMs: 0,
    endedCodes: [refusedBySecret],
    usage: { covers: "snapshot", grain: "version", watchedStayMs },
    sessionsOutliveRevocation: true,
    lateCallsRefusedBy:
      "the claim in the role's comment, read in the transaction that has locked the role's catalogue row by ALTER ROLE",
  },
  fields,
  authenticator: "password",
  adminFields,
  connectionSchema,
  configSchema,
  orderOf: (config) => (isOverlap(config) ? "overlap" : "single-slot"),
  principalsOf,
  adminPrincipalOf: ({ user }) => user,
  handleOf,
  adoptedFields: ["username", "password"],
  complete: completeValue,
  init,
  open: openSession,
  look: lookAround,
};
