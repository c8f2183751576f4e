import { sql, type RawBuilder } from "kysely";
import type { NoticeAudience } from "../domain/notice.ts";
import type { Scope } from "../domain/scope.ts";

// What a scope reaches is said here and nowhere else. In the statements that use it `c` is a row of credentials and `n` one
// of consumers.

/** It is the team's own. Of what it only shares, such a caller gets no more than that it is there, and its phase. */
export const ownsCredential = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(c.team_id = ${scope.teamId})`;

const teamSeesCredential = (team: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql`(c.team_id = ${team} OR EXISTS (SELECT FROM consumers shared
    WHERE shared.credential_id = c.id AND shared.team_id = ${team} AND shared.retired_at IS NULL)
    OR EXISTS (SELECT FROM credential_shares told WHERE told.credential_id = c.id AND told.team_id = ${team}))`;

/** It is the team's own, one of its consumers runs on it, or its owner has shared it. */
export const seesCredential = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : teamSeesCredential(sql`${scope.teamId}`);

export const ownsConsumer = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(n.team_id = ${scope.teamId})`;

/** Of a grant `g`: the team asked for it, or owns the credential. */
export const seesGrant = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(g.team_id = ${scope.teamId} OR c.team_id = ${scope.teamId})`;

export const askedForGrant = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(g.team_id = ${scope.teamId})`;

/** Of a freeze `f`: everybody's, or the team's own. */
export const seesFreeze = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(f.team_id IS NULL OR f.team_id = ${scope.teamId})`;

/** It is the team's own, or runs on a credential of the team, which has to know who does. */
export const seesConsumer = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(n.team_id = ${scope.teamId} OR c.team_id = ${scope.teamId})`;

/** Of an endpoint `k` that is told what happens: the team's own, unless it hears of everybody. */
export const ownsNotice = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(k.team_id = ${scope.teamId} AND NOT k.of_all)`;

/** Whether the team of an endpoint `k` is told: no more than its token would show it. */
export const teamHears: Readonly<Record<NoticeAudience, RawBuilder<boolean>>> = {
  owner: sql`(c.team_id = k.team_id)`,
  sharing: teamSeesCredential(sql`k.team_id`),
  consumer: sql`(n.team_id = k.team_id)`,
  everything: sql`false`,
};

/** Of a connection `n`. */
export const ownsConnection = (scope: Scope): RawBuilder<boolean> =>
  scope === "everything" ? sql`true` : sql`(n.team_id = ${scope.teamId})`;
