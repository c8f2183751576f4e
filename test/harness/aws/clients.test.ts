import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { GetUserCommand } from "@aws-sdk/client-iam";
import { ListSecretsCommand } from "@aws-sdk/client-secrets-manager";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeCertificates } from "./authority.ts";
import { awsClients } from "./clients.ts";

const { ca, cert, key } = makeCertificates();
const keys = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: randomBytes(20).toString("hex") };
let server: Server;
let url = "";
const scopes: (string | undefined)[] = [];

beforeEach(async () => {
  scopes.length = 0;
  server = createServer({ cert, key }, (request, response) => {
    scopes.push(/Credential=[^/]+\/\d{8}\/([^,]+)/.exec(request.headers.authorization ?? "")?.[1]);
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test("each client of the SDK asks the given server, and signs for its service and region", async () => {
  const { iam, sts, secrets, close } = awsClients({ url, ca }, keys, { region: "eu-north-1" });
  await iam.send(new GetUserCommand({})).catch(() => undefined);
  await sts.send(new GetCallerIdentityCommand({})).catch(() => undefined);
  await secrets.send(new ListSecretsCommand({})).catch(() => undefined);
  close();
  expect(scopes).toEqual(["iam", "sts", "secretsmanager"].map((name) => `eu-north-1/${name}/aws4_request`));
});

test("nothing is sent to a server that another authority vouches for", async () => {
  const { sts, close } = awsClients({ url, ca: makeCertificates().ca }, keys);
  const refused = await sts.send(new GetCallerIdentityCommand({})).catch((error: unknown) => error);
  close();
  expect(refused).toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  expect(scopes).toEqual([]);
});
