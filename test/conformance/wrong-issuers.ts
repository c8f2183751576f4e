import { wrongAtEnd } from "./wrong-issuers/end.ts";
import { wrongAtIssue } from "./wrong-issuers/issue.ts";
import { wrongAtLooking } from "./wrong-issuers/look.ts";
import { wrongAtProbe } from "./wrong-issuers/probe.ts";
import type { WrongIssuer } from "./wrong-issuers/wrong-issuer.ts";

/** Deliberately wrong issuers, one fault each. The suite is only as good as what it catches here. */
export const wrongIssuers: readonly WrongIssuer[] = [
  ...wrongAtIssue,
  ...wrongAtEnd,
  ...wrongAtProbe,
  ...wrongAtLooking,
];
