import { z } from "zod";
import { isAuthority, isHttpsOrigin } from "../../contract/https-origin.ts";
import type { FieldDeclarations } from "../../contract/value.ts";

/** The services that rekey asks, as AWS names them in its addresses. */
export type AwsService = "iam" | "sts" | "secretsmanager";

/** One account in one region, and how it is reached. */
export interface AwsSettings {
  readonly account: string;
  readonly region: string;
  /** Of the IAM user as whom rekey asks. */
  readonly accessKeyId: string;
  readonly endpoints?: { readonly [Name in AwsService]?: string | undefined } | undefined;
  readonly ca?: string | undefined;
}

const endpoint = z
  .string()
  .max(512)
  .refine(isHttpsOrigin, "must be https://HOST, without a path, a user or a question mark")
  .optional();

/** What every connection to AWS says, of whichever kind it is. */
export const awsSettings = {
  account: z
    .string()
    .regex(/^\d{12}$/, "must be the twelve digits of an account, in quotes")
    .describe("The account, twelve digits in quotes: nothing is done in another one"),
  region: z
    .string()
    .regex(/^[a-z]{2,5}(-[a-z]+){1,2}-\d{1,2}$/, "must be the name of a region, such as eu-central-1")
    .describe("The region; IAM itself has none, and is reached where the region's partition has it"),
  accessKeyId: z
    .string()
    .regex(/^[A-Z0-9]{16,128}$/, "must be the id of an access key, such as AKIAIOSFODNN7EXAMPLE")
    .describe("Id of the access key of rekey's own IAM user, which does this work and nothing else"),
  endpoints: z
    .strictObject({ iam: endpoint, sts: endpoint, secretsmanager: endpoint })
    .optional()
    .describe("Addresses of interface endpoints of yours, by service; AWS's public ones without it"),
  ca: z
    .string()
    .max(65_536)
    .refine(isAuthority, "must be certificates as PEM, beginning with -----BEGIN CERTIFICATE-----")
    .optional()
    .describe("Authorities that alone may vouch for the endpoints, as PEM; those of the platform without it"),
};

/** What belongs to the key that the settings name. */
export const awsAdminFields = {
  secretAccessKey: { secret: true, title: "Secret access key of rekey's own IAM user" },
} as const satisfies FieldDeclarations;

interface Partition {
  readonly name: string;
  readonly suffix: string;
  readonly iam: { readonly host: string; readonly region: string };
}

/**
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 * https://docs.aws.amazon.com/general/latest/gr/iam-service.html
 */
function partitionOf(region: string): Partition {
  if (region.startsWith("cn-")) {
    const suffix = "amazonaws.com.cn";
    return { name: "aws-cn", suffix, iam: { host: `iam.cn-north-1.${suffix}`, region: "cn-north-1" } };
  }
  const suffix = "amazonaws.com";
  if (region.startsWith("us-gov-"))
    return { name: "aws-us-gov", suffix, iam: { host: `iam.us-gov.${suffix}`, region: "us-gov-west-1" } };
  return { name: "aws", suffix, iam: { host: `iam.${suffix}`, region: "us-east-1" } };
}

export interface Destination {
  readonly url: string;
  /** What calls are signed for. */
  readonly region: string;
}

/** Where a service is asked. Nothing but the settings decides it. */
export function destinationOf(
  { region, endpoints = {} }: Pick<AwsSettings, "region" | "endpoints">,
  service: AwsService,
): Destination {
  const { suffix, iam } = partitionOf(region);
  const usual = service === "iam" ? iam.host : `${service}.${region}.${suffix}`;
  return { url: endpoints[service] ?? `https://${usual}`, region: service === "iam" ? iam.region : region };
}

type Place = Pick<AwsSettings, "account" | "region">;

export const iamArn = ({ account, region }: Place, resource: string): string =>
  `arn:${partitionOf(region).name}:iam::${account}:${resource}`;

/** `name` may end in `*`. AWS puts six random characters behind the name of a secret. */
export const secretArn = ({ account, region }: Place, name: string): string =>
  `arn:${partitionOf(region).name}:secretsmanager:${region}:${account}:secret:${name}`;
