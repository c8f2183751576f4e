import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createEgress } from "../../providers/contract/egress-client.ts";
import { Secret } from "../../providers/contract/secret.ts";
import type { Aws } from "../../providers/systems/aws/aws.ts";
import type { AwsSettings } from "../../providers/systems/aws/settings.ts";
import { makeCertificates } from "./aws/authority.ts";

export interface ScriptedAnswer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The answer is lost after the call was taken. */
  readonly isLost?: true;
}

export interface ScriptedAws {
  readonly aws: Aws;
  readonly settings: AwsSettings & { readonly ca: string };
  readonly calls: readonly { readonly headers: IncomingHttpHeaders; readonly body: string }[];
  /** What comes next, one for each call; the last is repeated. */
  answer(...answers: readonly ScriptedAnswer[]): void;
  close(): void;
}

export const callerIdentity = (account: string, arn = `arn:aws:iam::${account}:user/rekey`): ScriptedAnswer => ({
  status: 200,
  body: `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>${arn}</Arn><UserId>AIDAEXAMPLE</UserId><Account>${account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
});

export const refusal = (status: number, code: string, text = "made by the test"): ScriptedAnswer => ({
  status,
  body: `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${text}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
});

/** A server that answers what the test says, over TLS, to whatever is asked. */
export async function scriptedAws(account = "123456789012"): Promise<ScriptedAws> {
  const { ca, cert, key } = makeCertificates();
  const calls: { headers: IncomingHttpHeaders; body: string }[] = [];
  let next: ScriptedAnswer[] = [callerIdentity(account)];
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      calls.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      const { status, body = "", headers = {}, isLost } = (next.length > 1 ? next.shift() : next[0]) ?? { status: 500 };
      if (isLost === true) response.destroy();
      else response.writeHead(status, { "content-type": "text/xml", ...headers }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}`;
  const accessKeyId = "AKIAEXAMPLE000000001";
  const settings = {
    account,
    accessKeyId,
    region: "eu-central-1",
    endpoints: { iam: url, sts: url, secretsmanager: url },
    ca,
  };
  return {
    settings,
    aws: {
      settings,
      secretAccessKey: new Secret(randomBytes(20).toString("hex")),
      codes: { unreachable: "issuer_unreachable", authFailed: "issuer_auth_failed", refused: "principal_missing" },
      context: {
        signal: new AbortController().signal,
        fetch: createEgress({ allowedLocalPorts: [port], ownPorts: [] }),
      },
    },
    calls,
    answer: (...answers) => void (next = [...answers]),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
