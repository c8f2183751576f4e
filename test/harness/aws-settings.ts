import { readFile } from "node:fs/promises";
import { createEgress } from "../../providers/contract/egress-client.ts";
import type { ProviderContext } from "../../providers/contract/context.ts";
import { Secret } from "../../providers/contract/secret.ts";
import type { Value } from "../../providers/contract/value.ts";
import type { AwsSettings } from "../../providers/systems/aws/settings.ts";
import type { AwsKeys } from "./aws/clients.ts";

/** Settings of a connection whose services are all at one address, as tests have them. */
export function settingsAt({ url, ca }: { url: string; ca: string }, account: string, { accessKeyId }: AwsKeys) {
  const region = "eu-central-1";
  return {
    account,
    region,
    accessKeyId,
    endpoints: { iam: url, sts: url, secretsmanager: url },
    ca,
  } satisfies AwsSettings;
}

export const adminOf = ({ secretAccessKey }: AwsKeys): Value => ({
  secretAccessKey: new Secret(secretAccessKey),
});

/** What a worker gives a provider; it may reach these addresses on this machine. */
export function contextFor(urls: readonly string[], part: Partial<ProviderContext> = {}): ProviderContext {
  const log = part.log ?? (() => undefined);
  const allowedLocalPorts = urls.map((url) => Number(new URL(url).port));
  return {
    signal: part.signal ?? new AbortController().signal,
    log,
    fetch: createEgress({ allowedLocalPorts, ownPorts: [], log, timeoutMs: 60_000 }),
  };
}

export const awsPage = new URL("../../docs/aws.md", import.meta.url);

/** The policy below a heading of a page that people are told to give, for this account. */
export async function policyIn(page: URL, heading: string, account: string): Promise<unknown> {
  const [, below = ""] = (await readFile(page, "utf8")).split(heading);
  const [, json = ""] = /```json\n([^`]+)```/.exec(below) ?? [];
  return JSON.parse(json.replaceAll("123456789012", account)) as unknown;
}
