import { describeConsumer } from "./consumer-suite.ts";
import { makeExecWorld } from "./exec/world.ts";

describeConsumer({ name: "exec, by the example program", makeWorld: makeExecWorld, leavesOut: {} });
