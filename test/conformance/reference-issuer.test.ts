import { describeIssuer } from "./issuer-suite.ts";
import {
  whereIssuerMints,
  whereOneLives,
  whereRekeyChooses,
  whereSessionsShow,
  whereTwoLive,
  type IssuerLeavesOut,
} from "./left-out.ts";
import { makeReferenceWorld, type Shape } from "./reference/issuer-world.ts";

const minted: IssuerLeavesOut = {
  ...whereTwoLive,
  "the issuer mints the value": whereIssuerMints,
  "changeSecretByHand: nobody can change the secret of a minted key": [
    "changeSecretByHand makes our value wrong",
    "5 enabling sets our value again",
  ],
  "openOnOwnPrincipal: a minted key is never a login of the connection's": [
    "7.8 the connection's own principal is never managed",
  ],
};

const leavesOut: Readonly<Record<Shape, IssuerLeavesOut>> = {
  "two slots": { ...whereTwoLive, ...whereSessionsShow, "rekey chooses the value": whereRekeyChooses },
  "one slot": {
    ...whereSessionsShow,
    "rekey chooses the value": whereRekeyChooses,
    "one version lives at a time": [
      ...whereOneLives,
      "5 a late disable of version 1 does not hit version 3",
      "5 disabling refuses, enabling brings the same value back",
      "7.5 a lockout is unknown",
    ],
  },
  minted: { ...minted, ...whereSessionsShow },
  "minted, with last use": {
    ...minted,
    "the issuer shows no sessions": [
      "7.6 usage shows every session of a version, and of no other",
      "7.6 a name that a session gives itself excuses nobody",
      "7.6 rekey's own logins are left out",
      "4 every time is the issuer's own",
    ],
  },
};

for (const shape of ["two slots", "one slot", "minted", "minted, with last use"] as const)
  describeIssuer({
    name: `of reference, ${shape}`,
    makeWorld: () => makeReferenceWorld(shape, 1),
    leavesOut: leavesOut[shape],
  });
