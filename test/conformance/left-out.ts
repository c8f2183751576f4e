import type { ConsumerRuleName } from "./consumer-suite.ts";
import type { IssuerRuleName } from "./issuer-suite.ts";
import type { LeftOut } from "./suite.ts";

/** What does not apply to a world, and why. A world adds to these what is its own. */
export type IssuerLeavesOut = LeftOut<IssuerRuleName>;
export type ConsumerLeavesOut = LeftOut<ConsumerRuleName>;

/** For consumers on the worker's own host. */
export const withoutConnection: ConsumerLeavesOut = {
  "connections: it is reached without one": [
    "3 a connection's own address is part of the target, and only teams that it lists may use it",
  ],
};

export const whereRekeyChooses = [
  "7.2 a minted repeat ends only its own leftover with a lower claim",
  "7.2 a minted repeat never ends what the ledger records",
  "7.2 a minted version is listed as made by its own operation, or by none",
  "7.7 an unfit minted value is refused and can be abandoned",
] as const;

export const whereIssuerMints = [
  "7.2 a chosen value is set as it was chosen",
  "7.2 choosing has no effect and never gives a value twice",
  "7.7 an unfit chosen value is refused before it is set",
  "3 every login of a version is a principal that the configuration names",
] as const;

/** Where several versions live at once, what is about a single slot. */
export const whereTwoLive: IssuerLeavesOut = {
  "version 1 lives in a slot of its own": ["5 a late issue of version 1 does not overwrite version 2"],
  "two versions live at once": ["7.4 abandon in a single slot brings the former value back"],
};

/** Where sessions are shown, what is about nothing but a last use. */
export const whereSessionsShow: IssuerLeavesOut = {
  "the issuer does not tell when a version was last used": [
    "7.6 a use is told with its time to the declared grain, of the version that was used and of no other",
  ],
};

/** In a single slot, what needs two versions. */
export const whereOneLives = [
  "refuseByRule and fillConnectionLimit refuse the right value",
  "7.3 what is in keep is never touched",
  "7.3 never the oldest",
  "7.3 no room needs an operator",
  "7.3 a version that a person made is not touched",
  "7.3 a slot that a person revived is a stranger's",
  "7.3 another instance's version is not touched",
  "7.4 an abandoned candidate is refused and nothing else is",
  "7.4 a revoked version is refused and nothing else is",
  "7.4 revoke succeeds when the version is gone",
  "7.4 what is listed is what there is",
  "2 a stranger is listed, and not as ours",
  "5 a late revoke of version 1 does not hit version 3",
  "5 a revoke held up on its way does not hit version 3",
  "5 a late abandon of version 1 does not hit version 3",
  "5 a session that outlives revocation can be ended",
  "5 endSessions for version 1 leaves version 3's alone",
  "7.5 an ended version stays refused while a later one lives in its slot",
  "7.5 a rule in front of a living version does not make it dead",
  "7.5 a full connection limit is unknown",
  "7.5 the catalogue must agree with a refusal",
  "7.5 disabled is not dead",
  "7.5 wrong values are not tried on a login in use",
  "20 answers hold once the declared lag is over",
  "7.6 usage shows every session of a version, and of no other",
] as const;
