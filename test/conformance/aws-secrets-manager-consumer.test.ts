import { makeSecretWorld } from "./aws/secret-world.ts";
import { describeConsumer } from "./consumer-suite.ts";

describeConsumer({
  name: "aws-secrets-manager, on a strict stand-in",
  makeWorld: makeSecretWorld,
  leavesOut: {
    "makeReadOnly: policies say who may write a secret, and a right that is missing has a code of its own": [
      "16 a target that cannot be written is said so, and keeps what it has",
      "nothing can be written where it is read-only or full",
    ],
    "reloads: whoever reads a secret asks for it again by himself": ["3 reload reaches the consumer"],
  },
});
