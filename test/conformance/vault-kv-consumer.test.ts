import { withVault } from "../harness/with-vault.ts";
import { describeConsumer } from "./consumer-suite.ts";
import { kvLacks, makeKvWorld } from "./vault/kv-world.ts";

const vault = withVault();

describeConsumer({
  name: "vault-kv, on a real Vault",
  makeWorld: () => makeKvWorld(vault()),
  leavesOut: {
    [`makeReadOnly: ${kvLacks.refused}`]: ["16 a target that cannot be written is said so, and keeps what it has"],
    [`fillUp: ${kvLacks.full}`]: [
      "nothing can be written where it is read-only or full",
      "16 a full target is said so, and keeps what it has",
    ],
    "reloads: whoever reads a secret of Vault asks for it by itself": ["3 reload reaches the consumer"],
  },
});
