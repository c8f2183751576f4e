/** How far a caller sees: everything, or what is one team's and what is shared with it. */
export type Scope = "everything" | { readonly teamId: string };

/** Of who is nobody: no row has such a team. */
export const nothing: Scope = { teamId: "" };
