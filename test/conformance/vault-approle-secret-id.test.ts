import { afterAll, describe, expect, test } from "vitest";
import { startVault, type VaultServer } from "../harness/vault.ts";
import { withVault } from "../harness/with-vault.ts";
import { judge } from "./applicability.ts";
import { isVerdict } from "./failing.ts";
import { describeIssuer, issuerClauses } from "./issuer-suite.ts";
import { whereIssuerMints, whereSessionsShow, whereTwoLive, type IssuerLeavesOut } from "./left-out.ts";
import { makeApproleWorld } from "./vault/approle-world.ts";
import { wrongApprole } from "./vault/wrong.ts";

const vault = withVault();
let twin: Promise<VaultServer> | undefined;
afterAll(async () => (await twin)?.stop());
const makeTwin = () => (twin ??= startVault());

const leavesOut: IssuerLeavesOut = {
  ...whereTwoLive,
  ...whereSessionsShow,
  "the issuer mints the value": whereIssuerMints,
  "the issuer cannot disable": [
    "5 a late disable does not undo a later enable",
    "5 a late disable of version 1 does not hit version 3",
    "5 disabling refuses, enabling brings the same value back",
    "5 enabling without the value brings back what was there",
    "7.5 disabled is not dead",
  ],
  "changeSecretByHand: nobody can change the secret of a minted key": [
    "changeSecretByHand makes our value wrong",
    "5 enabling sets our value again",
  ],
  "refuseByRule: a rule of AppRole is the whole role's": [
    "refuseByRule and fillConnectionLimit refuse the right value",
    "7.5 an access rule is unknown",
    "7.5 a rule in front of a living version does not make it dead",
  ],
  "fillConnectionLimit: AppRole counts no sessions": ["7.5 a full connection limit is unknown"],
  "wrongTriesOn: Vault tells nobody how many wrong tries it has counted": [
    "wrongTriesOn counts a wrong try",
    "7.5 wrong values are not tried on a login in use",
  ],
};

describe("on a real Vault", () => {
  describeIssuer({
    name: "vault-approle-secret-id",
    makeWorld: () => makeApproleWorld(vault(), makeTwin),
    leavesOut,
  });

  for (const { name, caughtBy, twist } of wrongApprole)
    test(`one that is wrong by "${name}" is caught by "${caughtBy}"`, async () => {
      const judged = await judge(() => makeApproleWorld(vault(), makeTwin, twist), issuerClauses[caughtBy]);
      expect(judged.verdict === "broken" && isVerdict(judged.error)).toBe(true);
    });
});
