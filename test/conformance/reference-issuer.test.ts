import { describeIssuer } from "./issuer-suite.ts";
import { whereIssuerMints, whereOneLives, whereRekeyChooses, whereTwoLive, type IssuerLeavesOut } from "./left-out.ts";
import { makeReferenceWorld, type Shape } from "./reference/issuer-world.ts";

const leavesOut: Readonly<Record<Shape, IssuerLeavesOut>> = {
  "two slots": { ...whereTwoLive, "rekey chooses the value": whereRekeyChooses },
  "one slot": {
    "rekey chooses the value": whereRekeyChooses,
    "one version lives at a time": [
      ...whereOneLives,
      "5 a late disable of version 1 does not hit version 3",
      "5 disabling refuses, enabling brings the same value back",
      "7.5 a lockout is unknown",
    ],
  },
  minted: {
    ...whereTwoLive,
    "the issuer mints the value": whereIssuerMints,
    "changeSecretByHand: nobody can change the secret of a minted key": [
      "changeSecretByHand makes our value wrong",
      "5 enabling sets our value again",
    ],
    "openOnOwnPrincipal: a minted key is never a login of the connection's": [
      "7.8 the connection's own principal is never managed",
    ],
  },
};

for (const shape of ["two slots", "one slot", "minted"] as const)
  describeIssuer({
    name: `of reference, ${shape}`,
    makeWorld: () => makeReferenceWorld(shape, 1),
    leavesOut: leavesOut[shape],
  });
