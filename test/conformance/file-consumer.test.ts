import { describeConsumer } from "./consumer-suite.ts";
import type { FormatName } from "./file/layout.ts";
import { makeFileWorld } from "./file/world.ts";
import { withoutConnection, type ConsumerLeavesOut } from "./left-out.ts";

const leavesOut: Readonly<Record<FormatName, ConsumerLeavesOut>> = {
  dotenv: {},
  json: {},
  yaml: {},
  raw: {
    "changeForeign: the whole file is ours": [
      "a hand on our key and on what is not ours shows behind the back",
      "12 a hand on what is not ours is kept and stops nothing",
    ],
    "malform: any text is a value": ["16 a target that cannot be read is left as it is"],
  },
};

for (const format of ["dotenv", "json", "yaml", "raw"] as const)
  describeConsumer({
    name: `file, ${format}`,
    makeWorld: () => makeFileWorld(format),
    leavesOut: { ...withoutConnection, ...leavesOut[format] },
  });
