import { describeIssuer } from "./issuer-suite.ts";
import { makeReferenceWorld, type Shape } from "./reference/issuer-world.ts";

const leavesOut: Readonly<Record<Shape, number>> = { "two slots": 5, "one slot": 30, minted: 8 };

for (const shape of ["two slots", "one slot", "minted"] as const)
  describeIssuer({
    name: `of reference, ${shape}`,
    makeWorld: () => makeReferenceWorld(shape, 1),
    leavesOut: leavesOut[shape],
  });
