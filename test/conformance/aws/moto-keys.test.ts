import { afterAll, beforeAll, expect, test } from "vitest";
import { ListAccessKeysCommand } from "@aws-sdk/client-iam";
import { nextTurn, openKeys } from "../../harness/aws-keys.ts";
import { settingsAt } from "../../harness/aws-settings.ts";
import { awsClients } from "../../harness/aws/clients.ts";
import { hasMoto, noMoto, startMoto, type Moto } from "../../harness/moto.ts";
import { needs } from "../../harness/needs.ts";

/** The account that moto plays. */
const account = "123456789012";

let moto: Moto | undefined;
beforeAll(async () => {
  if (hasMoto) moto = await startMoto();
});
afterAll(async () => {
  await moto?.stop();
});

// The second witness: what moto and the stand-in agree on was not made up by us.
test("a key is made, shown, proven, disabled, brought back and ended on moto, with signatures verified", async (context) => {
  needs(context, moto !== undefined, noMoto);
  const { iam, close } = awsClients(moto, moto.admin, { region: "us-east-1" });
  const admin = await moto.addUser("rekey");
  const orders = await moto.addUser("orders", []);
  const idsNow = async () =>
    ((await iam.send(new ListAccessKeysCommand({ UserName: "orders" }))).AccessKeyMetadata ?? []).map(
      ({ AccessKeyId, Status }) => [AccessKeyId, Status],
    );
  const session = await openKeys({ settings: settingsAt(moto, account, admin), admin, user: "orders", url: moto.url });
  expect(await session.identify()).toBe(`aws:${account}`);
  const operationKey = "first";
  const by = (handle: string) => ({ handle, operationKey: "later", claim: nextTurn() });

  const made = await session.issue({ handle: "", operationKey, claim: nextTurn(), keep: [orders.accessKeyId] });
  expect(await idsNow()).toEqual([
    [orders.accessKeyId, "Active"],
    [made.handle, "Active"],
  ]);
  expect((await session.list()).map(({ handle, ours }) => [handle, ours])).toEqual([
    [orders.accessKeyId, false],
    [made.handle, true],
  ]);
  await expect(
    session.issue({ handle: "", operationKey: "third", claim: nextTurn(), keep: [made.handle] }),
  ).rejects.toMatchObject({ code: "no_free_slot" });
  expect(await session.probe({ handle: made.handle, value: made.value })).toMatchObject({ verdict: "accepted" });

  await session.disable?.(by(made.handle));
  expect((await idsNow())[1]).toEqual([made.handle, "Inactive"]);
  await session.enable?.(by(made.handle));
  const again = await session.issue({ handle: "", operationKey, claim: nextTurn(), keep: [orders.accessKeyId] });
  expect((await idsNow()).map(([id]) => id)).toEqual([orders.accessKeyId, again.handle]);
  expect(await session.probe({ handle: made.handle, value: made.value, control: again.value })).toMatchObject({
    verdict: "refused",
    code: "InvalidClientTokenId",
  });
  await session.revoke(by(again.handle));
  await session.revoke(by(again.handle));
  expect(await idsNow()).toEqual([[orders.accessKeyId, "Active"]]);
  close();
});
