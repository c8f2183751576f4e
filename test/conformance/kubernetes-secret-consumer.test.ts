import { withKubernetes } from "../harness/with-kubernetes.ts";
import { describeConsumer } from "./consumer-suite.ts";
import { makeKubernetesWorld } from "./kubernetes/world.ts";

const kube = withKubernetes();

describeConsumer({
  name: "kubernetes-secret, on a real API server",
  makeWorld: () => makeKubernetesWorld(kube()),
  leavesOut: {
    "malform: a key of a Secret may hold any bytes": ["16 a target that cannot be read is left as it is"],
  },
});
