import { describeConsumer } from "./consumer-suite.ts";
import type { FormatName } from "./file/layout.ts";
import { makeFileWorld } from "./file/world.ts";

const leavesOut: Readonly<Record<FormatName, number>> = { dotenv: 0, json: 0, yaml: 0, raw: 2 };

for (const format of ["dotenv", "json", "yaml", "raw"] as const)
  describeConsumer({
    name: `file, ${format}`,
    makeWorld: () => makeFileWorld(format),
    leavesOut: leavesOut[format],
  });
