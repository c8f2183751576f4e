import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle } from "../harness/aws/settings.ts";
import { awsIssuer } from "./aws-issuer.ts";
import { strangers, type MintingIssuer } from "./minted-principal.ts";

describe("the oracle of what an issuer mints", () => {
  let aws: FakeAws;
  let issuer: MintingIssuer;
  beforeAll(async () => {
    aws = await FakeAws.start(gentle);
    issuer = await awsIssuer(aws);
  });
  afterAll(() => aws?.close());

  /** What it says of a user with a key in use and another one, which the ledger has in these states. */
  async function said(mark: string, status: "Active" | "Inactive", states: readonly string[]) {
    const principal = await issuer(mark);
    const [first] = await principal.live();
    const { accessKeyId } = aws.addKey(`orders-${mark}`, status);
    const rows = [{ handle: first, state: "live" }, ...states.map((state) => ({ handle: accessKeyId, state }))];
    return { accessKeyId, breaches: await strangers(principal, async () => Promise.resolve(rows), "crd_orders") };
  }

  it.each(["Active", "Inactive"] as const)(
    "names a key that is %s and that nobody has in the books",
    async (status) => {
      const { accessKeyId, breaches } = await said(`unknown-${status}`, status, []);
      expect(breaches).toEqual([expect.stringContaining(accessKeyId)]);
    },
  );

  it("has nothing to say of an old version that lies disabled, as the ledger says", async () => {
    expect((await said("disabled", "Inactive", ["disabled"])).breaches).toEqual([]);
  });

  it("names one that lies disabled where the ledger calls it live", async () => {
    expect((await said("called-live", "Inactive", ["live"])).breaches).toHaveLength(2);
  });
});
