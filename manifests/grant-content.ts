import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { ConsumerRow } from "../ledger/registry-views.ts";
import type { FieldChange } from "./changes.ts";
import type { PlannedItem } from "./planning.ts";

/** All that decides where a value goes, and what it changes. Who approves its digest approves no more and no less. */
export interface GrantContent {
  readonly action: "create" | "change";
  /** `team/name` */
  readonly consumer: string;
  /** `team/name`; with its id, since another may be registered under the name. */
  readonly credential: string;
  readonly credentialId: string;
  readonly kind: string;
  /** `team/name` */
  readonly connection: string | null;
  readonly connectionId: string | null;
  readonly target: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly evidence: Readonly<Record<string, unknown>>;
  /** Against what is registered now. */
  readonly changes: readonly FieldChange[];
}

export function contentOf({ action, changes }: PlannedItem, row: ConsumerRow, credential: string): GrantContent {
  const { team, name, credentialId, kind, connection, connectionId, target, config, evidence } = row;
  return {
    action: action === "create" ? "create" : "change",
    consumer: `${team}/${name}`,
    ...{ credential, credentialId, kind, connection, connectionId, target, config },
    evidence: { ...(evidence.wanted === undefined ? {} : { wanted: evidence.wanted }), ...evidence.collectors },
    changes,
  };
}

export function digestOf(content: GrantContent): string {
  return createHash("sha256")
    .update(canonicalize(content) ?? "")
    .digest("hex");
}
