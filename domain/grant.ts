export const grantStates = ["pending", "approved", "refused", "withdrawn", "outdated"] as const;
export type GrantState = (typeof grantStates)[number];

/** What of a grant, and of who asks, decides whether an answer to it is taken. */
export interface GrantCase {
  readonly state: GrantState;
  readonly digest: string;
  /** The token that asked for it. */
  readonly requestedBy: string;
  /** A connection says which places the consumer's team may use there. */
  readonly isPlaceAllowed: boolean;
  /** The credential is the caller's team's; true for who is of no team. */
  readonly isOwner: boolean;
  /** So is the consumer. */
  readonly isRequester: boolean;
  /** The caller is of one team, and speaks for that alone. */
  readonly isOfTeam: boolean;
}

export type GrantAnswer =
  | { readonly kind: "approve"; readonly actor: string; readonly digest: string }
  | { readonly kind: "refuse" | "withdraw"; readonly actor: string };

export type GrantAdmission =
  | { readonly ok: true }
  /** `forbidden`: not by this caller; `grant_refused`: not as the grant is now. */
  | { readonly ok: false; readonly code: "forbidden" | "grant_refused"; readonly reason: string };

/** Whether an answer fits the grant as it is now, and whoever gives it. */
export function admitGrantAnswer(answer: GrantAnswer, grant: GrantCase): GrantAdmission {
  const forbidden = forbids(answer, grant);
  if (forbidden !== undefined) return { ok: false, code: "forbidden", reason: forbidden };
  const reason = refusal(answer, grant);
  return reason === undefined ? { ok: true } : { ok: false, code: "grant_refused", reason };
}

function forbids(answer: GrantAnswer, grant: GrantCase): string | undefined {
  if (answer.kind === "withdraw")
    return grant.isRequester
      ? undefined
      : "The team that asked for it withdraws it; the credential's owner refuses it.";
  if (!grant.isOwner) return "The team that owns the credential decides, or an operator.";
  if (answer.kind === "refuse") return undefined;
  if (answer.actor === grant.requestedBy)
    return "Nobody approves what they asked for themselves: another token of the owning team does, or an operator's.";
  // What nobody has measured out to a team may be another team's: a team cannot give it to itself.
  if (grant.isOfTeam && !grant.isPlaceAllowed)
    return "No connection says which places of this kind a team may use, so that an operator approves it.";
  return undefined;
}

const ended: Readonly<Record<Exclude<GrantState, "pending">, string>> = {
  approved: "It has been approved already.",
  refused: "It was refused. Ask for it again: rekey consumer register",
  withdrawn: "It was withdrawn. Ask for it again: rekey consumer register",
  outdated: "It is outdated. Ask for it again: rekey consumer register",
};

function refusal(answer: GrantAnswer, { state, digest }: GrantCase): string | undefined {
  if (state !== "pending") return ended[state];
  if (answer.kind !== "approve" || answer.digest === digest) return undefined;
  return "That is the digest of something else. Read what it says now, and approve that: rekey grant show";
}
