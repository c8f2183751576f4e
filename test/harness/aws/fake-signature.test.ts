import { ListAccessKeysCommand } from "@aws-sdk/client-iam";
import { DescribeSecretCommand } from "@aws-sdk/client-secrets-manager";
import { GetCallerIdentityCommand, STSClient, type STSClientConfig } from "@aws-sdk/client-sts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { awsClients, type AwsClients } from "./clients.ts";
import { FakeAws } from "./fake-aws.ts";
import { gentle } from "./settings.ts";

interface HttpRequest {
  readonly headers: Record<string, string>;
  body?: string;
}

let aws: FakeAws;
let clients: AwsClients;

beforeEach(async () => {
  aws = await FakeAws.start(gentle);
  aws.addUser("shop");
  clients = awsClients(aws, aws.addKey("shop"), { region: "us-east-1" });
});

afterEach(() => {
  clients.close();
  aws.close();
});

type Step = (sending: { readonly request: HttpRequest }) => Promise<unknown>;

/** The part of a client of the SDK that is the same for all of them. */
interface Changeable {
  readonly middlewareStack: { addRelativeTo(step: (next: Step) => Step, where: object): void };
}

/** What somebody between the client and AWS could do to a request that has been signed. */
function afterSigning(client: unknown, change: (sent: HttpRequest) => void): void {
  const where = { relation: "after", toMiddleware: "httpSigningMiddleware" };
  (client as Changeable).middlewareStack.addRelativeTo(
    (next) => (sending) => {
      change(sending.request);
      return next(sending);
    },
    where,
  );
}

const refusal = (call: Promise<unknown>) =>
  call.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
const who = () => refusal(clients.sts.send(new GetCallerIdentityCommand({})));

test("a body that was changed after it was signed is refused", async () => {
  afterSigning(clients.iam, (sent) => (sent.body = sent.body?.replace("UserName=shop", "UserName=root") ?? ""));
  expect(await refusal(clients.iam.send(new ListAccessKeysCommand({ UserName: "shop" })))).toMatchObject({
    name: "SignatureDoesNotMatch",
  });
});

test("a header that has to be signed and is added later is refused", async () => {
  afterSigning(clients.sts, ({ headers }) => (headers["x-amz-extra"] = "1"));
  expect(await who()).toMatchObject({ name: "IncompleteSignature", $metadata: { httpStatusCode: 400 } });
});

test("a call without a signature, and one whose day is another than its scope's, are refused", async () => {
  afterSigning(clients.secrets, ({ headers }) => delete headers["authorization"]);
  expect(await refusal(clients.secrets.send(new DescribeSecretCommand({ SecretId: "x" })))).toMatchObject({
    name: "MissingAuthenticationTokenException",
  });
  afterSigning(clients.sts, ({ headers }) => {
    headers["authorization"] = headers["authorization"]?.replace(/\/\d{8}\//, "/20200101/") ?? "";
  });
  expect(await who()).toMatchObject({ name: "SignatureDoesNotMatch", message: expect.stringContaining("Date in") });
});

test("a signature for another service is refused, although it is the right key's", async () => {
  const { accessKeyId, secretAccessKey } = aws.addKey("shop");
  const sts = new STSClient({
    endpoint: aws.url,
    region: "us-east-1",
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: { httpsAgent: { ca: aws.ca } },
    signingName: "iam",
  } as STSClientConfig);
  const refused = await refusal(sts.send(new GetCallerIdentityCommand({})));
  sts.destroy();
  expect(refused).toMatchObject({ name: "SignatureDoesNotMatch", message: expect.stringContaining("correct service") });
});

test("what is asked elsewhere than at the root, or in an unknown form, is not found", async () => {
  afterSigning(clients.sts, (sent) => Object.assign(sent, { path: "/elsewhere" }));
  expect(await who()).toMatchObject({ $metadata: { httpStatusCode: 404 } });
  expect(aws.calls).toEqual([]);
});
