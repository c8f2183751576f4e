import { describeConsumer } from "./consumer-suite.ts";
import { withoutConnection } from "./left-out.ts";
import { makeExecWorld } from "./exec/world.ts";

describeConsumer({ name: "exec, by the example program", makeWorld: makeExecWorld, leavesOut: withoutConnection });
