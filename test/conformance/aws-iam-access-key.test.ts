import { describe, expect, test } from "vitest";
import { makeKeyWorld } from "./aws/key-world.ts";
import { wrongKeys } from "./aws/wrong-keys.ts";
import { isVerdict } from "./failing.ts";
import { judge } from "./applicability.ts";
import { describeIssuer, issuerClauses } from "./issuer-suite.ts";
import { whereIssuerMints, whereTwoLive } from "./left-out.ts";

const noSession = "each call is signed by itself: there is no session";

describeIssuer({
  name: "aws-iam-access-key, on a strict stand-in",
  makeWorld: async () => makeKeyWorld(),
  leavesOut: {
    ...whereTwoLive,
    "the issuer mints the value": whereIssuerMints,
    "mintNext: AWS chooses the secret, and the stand-in does too": [
      "7.7 an unfit minted value is refused and can be abandoned",
    ],
    "changeSecretByHand: nobody can change the secret of a key": [
      "changeSecretByHand makes our value wrong",
      "5 enabling sets our value again",
    ],
    "acceptEverything: AWS accepts no signature that is wrong": [
      "acceptEverything lets a wrong value in",
      "7.5 where anything is accepted, nothing is proven",
    ],
    "refuseByRule: no policy can deny a user to ask who it is": [
      "refuseByRule and fillConnectionLimit refuse the right value",
      "7.5 an access rule is unknown",
      "7.5 a rule in front of a living version does not make it dead",
    ],
    "fillConnectionLimit: a key has no limit of logins": ["7.5 a full connection limit is unknown"],
    "lockOut: wrong signatures lock no key": ["lockOut refuses the right value", "7.5 a lockout is unknown"],
    "wrongTriesOn: wrong signatures are not counted": [
      "wrongTriesOn counts a wrong try",
      "7.5 wrong values are not tried on a login in use",
    ],
    [`openSession: ${noSession}`]: [
      "sessions are open until somebody ends them, a stubborn one longer",
      "5 a session that outlives revocation can be ended",
      "5 endSessions for version 1 leaves version 3's alone",
      "5 endSessions ends only what began before the time given",
      "5 endSessions ends only what began since the time given",
      "7.6 usage shows every session of a version, and of no other",
      "7.6 a name that a session gives itself excuses nobody",
    ],
    [`openStubbornSession: ${noSession}`]: ["5 endSessions never says none while one is"],
    "the issuer shows no sessions": ["7.6 rekey's own logins are left out"],
    "clock: IAM dates to the second": ["4 every time is the issuer's own"],
  },
});

describe("an aws-iam-access-key that is wrong", () => {
  test.each(wrongKeys)('by "$name" is caught by "$caughtBy"', async ({ caughtBy, twist }) => {
    const judged = await judge(async () => makeKeyWorld(twist), issuerClauses[caughtBy]);
    expect(judged.verdict === "broken" && isVerdict(judged.error)).toBe(true);
  });
});
