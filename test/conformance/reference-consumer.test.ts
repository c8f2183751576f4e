import { describeConsumer } from "./consumer-suite.ts";
import { makeStoreWorld } from "./reference/consumer-world.ts";

describeConsumer({ name: "of reference", makeWorld: () => makeStoreWorld(), leavesOut: {} });
