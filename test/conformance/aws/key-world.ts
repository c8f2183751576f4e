import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { IAMClient } from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { Secret } from "../../../providers/contract/secret.ts";
import { revealField, type Value } from "../../../providers/contract/value.ts";
import { accessKeyIssuer } from "../../../providers/issuers/aws-iam-access-key/definition.ts";
import type { IssuerSession } from "../../../providers/contract/issuer.ts";
import { adminOf, contextFor, settingsAt } from "../../harness/aws-settings.ts";
import { makeCertificates } from "../../harness/aws/authority.ts";
import { awsClients, type AwsKeys } from "../../harness/aws/clients.ts";
import { FakeAws } from "../../harness/aws/fake-aws.ts";
import { nastyByDefault, type FakeAwsSettings } from "../../harness/aws/settings.ts";
import { proxyHttp, type HttpCall } from "../../harness/proxy/http.ts";
import type { IssuerWorld, OpenHow } from "../issuer-world.ts";
import { gate } from "../gate.ts";

const name = "orders";
/** AWS's own lags, shortened. */
const scale = 0.02;

const actions = [
  ...["GetUser", "ListAccessKeys", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed"],
  ...["ListUserTags", "TagUser", "UntagUser"],
];

/** The least rights of a connection that rotates the keys of these users. */
const leastRights = (account: string, pattern: string) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Action: actions.map((action) => `iam:${action}`),
      Resource: `arn:aws:iam::${account}:user/${pattern}`,
    },
    { Effect: "Allow", Action: "iam:SimulatePrincipalPolicy", Resource: `arn:aws:iam::${account}:user/rekey` },
  ],
});

const actionOf = ({ body }: HttpCall): string => new URLSearchParams(body).get("Action") ?? "";
/** Of keys alone: what is noted beside them is no effect that anybody else sees. */
const isKeyAction = (action: string): boolean => /^(?:Create|Update|Delete)AccessKey$/.test(action);
const isEffect = (call: HttpCall): boolean => isKeyAction(actionOf(call));

export interface KeyOutside {
  readonly fake: FakeAws;
  readonly user: string;
  /** IAM by the way that a session takes, with the connection's own key. */
  readonly iam: IAMClient;
}

/** A change of the session, as a wrong provider makes it. */
export type KeyTwist = (right: IssuerSession, outside: KeyOutside) => Partial<IssuerSession>;

/** An IAM user in the strict stand-in for AWS, as slow to agree with itself as AWS is, and refusing every twentieth call. */
export async function makeKeyWorld(twist?: KeyTwist, part: Partial<FakeAwsSettings> = {}): Promise<IssuerWorld> {
  const settings = { ...nastyByDefault, scale, pageSize: 3, ...part };
  const { freshKeyLagMs, endedKeyLagMs, listLagMs, lastUsedLagMs, lastUsedGrainMs } = settings;
  const definition = accessKeyIssuer({
    activationMs: freshKeyLagMs * scale,
    deactivationMs: Math.max(endedKeyLagMs, listLagMs) * scale,
    listMs: listLagMs * scale,
    lastUsedMs: lastUsedLagMs * scale,
    lastUsedGrainMs: lastUsedGrainMs * scale,
  });
  const start = async () => {
    const fake = await FakeAws.start(settings);
    fake.addUser("rekey", [leastRights(fake.identities.account, "team/*")]);
    fake.addUser(name, [], "/team/");
    return { fake, admin: fake.addKey("rekey") };
  };
  const [main, twin] = [await start(), await start()];
  const { fake, admin } = main;
  const front = makeCertificates();
  const proxy = await proxyHttp(fake.url, { ca: fake.ca, tls: front, hasEffect: isEffect });
  const connection = settingsAt({ url: proxy.url, ca: front.ca }, fake.identities.account, admin);
  const config = { user: name };
  const { iam, close: closeIam } = awsClients({ url: proxy.url, ca: front.ca }, admin, { region: "us-east-1" });

  async function open(
    how: OpenHow & { connection?: typeof connection; admin?: AwsKeys; user?: string } = {},
  ): Promise<IssuerSession> {
    const right = await definition.open(
      {
        connection: how.connection ?? connection,
        admin: adminOf(how.admin ?? admin),
        config: { user: how.user ?? name },
        instance: how.instance ?? "ins_one",
        credential: how.credential ?? "crd_orders",
      },
      contextFor([proxy.url, twin.fake.url], how),
    );
    return twist === undefined ? right : { ...right, ...twist(right, { fake, user: name, iam }) };
  }
  const idOf = (value: Value): string => revealField(value, "accessKeyId");
  const addByHand = async (): Promise<Value> => {
    const { accessKeyId, secretAccessKey } = fake.addKey(name);
    return Promise.resolve({ accessKeyId, secretAccessKey: new Secret(secretAccessKey) });
  };
  const lacks = (reason: string) => ({ lacks: reason });

  return {
    definition,
    connection,
    config,
    instance: "ins_one",
    credential: "crd_orders",
    open,
    async logsIn(value) {
      const keys = { accessKeyId: idOf(value), secretAccessKey: revealField(value, "secretAccessKey") };
      const { sts, close } = awsClients(fake, keys, { maxAttempts: 9 });
      const found = await sts.send(new GetCallerIdentityCommand({})).catch(() => undefined);
      close();
      return found === undefined ? "refused" : "accepted";
    },
    listBehindBack: async () =>
      Promise.resolve(
        fake.keysOf(name).map(({ id, status, key }) => {
          const shown = [id, status, key.secret, fake.tagsOf(name)[`rekey:key:${id}`]];
          const fingerprint = createHash("sha256").update(JSON.stringify(shown)).digest("hex");
          return { name: id, isLive: status === "Active", fingerprint };
        }),
      ),
    nameOf: idOf,
    settle: async () => sleep(Math.max(freshKeyLagMs, endedKeyLagMs, listLagMs, lastUsedLagMs) * scale + 5),
    abilities: {
      acceptEverything: lacks("AWS accepts no signature that is wrong"),
      refuseByRule: lacks("no policy can deny a user to ask who it is"),
      takeDown: async () => {
        proxy.each(() => ({ do: "cut-request", after: 0 }));
        return Promise.resolve();
      },
      bringUp: async () => {
        proxy.each(() => undefined);
        return Promise.resolve();
      },
      fillConnectionLimit: lacks("a key has no limit of logins"),
      lockOut: lacks("wrong signatures lock no key"),
      wrongTriesOn: lacks("wrong signatures are not counted"),
      makeStranger: addByHand,
      makeFirstByHand: async () => {
        const value = await addByHand();
        return { handle: idOf(value), value };
      },
      changeSecretByHand: lacks("nobody can change the secret of a key"),
      openSession: lacks("each call is signed by itself: there is no session"),
      openSessionsOf: lacks("each call is signed by itself: there is no session"),
      openStubbornSession: lacks("each call is signed by itself: there is no session"),
      async holdNextEffect() {
        const [until, release] = gate();
        const onItsWay = proxy.meet(isEffect, { do: "delay", until }).then(() => undefined);
        return { session: await open(), onItsWay, release };
      },
      // At the server itself, which may have throttled the call that a proxy meets.
      async loseNextAnswer() {
        let lost = 0;
        fake.interfere = ({ action }) => (isKeyAction(action) && lost++ === 0 ? { loseAnswer: true } : undefined);
        return open();
      },
      clock: lacks("IAM dates to the second"),
      takeRight: async () => {
        const { Version, Statement } = leastRights(fake.identities.account, "team/*");
        const [, simulate] = Statement;
        const looking = actions.filter((action) => !isKeyAction(action));
        const Action = looking.map((action) => `iam:${action}`);
        fake.setPolicies("rekey", [{ Version, Statement: [{ ...Statement[0], Action }, simulate] }]);
        return Promise.resolve();
      },
      openWithWrongAdmin: async () => open({ admin: { ...admin, secretAccessKey: "w".repeat(40) } }),
      openOnOwnPrincipal: async () => open({ user: "rekey" }),
      openOnTwin: async () =>
        open({ connection: settingsAt(twin.fake, twin.fake.identities.account, twin.admin), admin: twin.admin }),
      mintNext: lacks("AWS chooses the secret, and the stand-in does too"),
    },
    async close() {
      closeIam();
      proxy.close();
      fake.close();
      twin.fake.close();
      return Promise.resolve();
    },
  };
}
