import { describe, expect, test } from "vitest";
import { z } from "zod";
import { makeCertificates } from "../../../test/harness/aws/authority.ts";
import { awsAdminFields, awsSettings, destinationOf, iamArn, secretArn } from "./settings.ts";

const schema = z.strictObject(awsSettings);
const least = { account: "123456789012", region: "eu-central-1", accessKeyId: "AKIAIOSFODNN7EXAMPLE" };

describe("a connection to AWS", () => {
  test("says account and region, and where it is reached if that is not AWS's public address", () => {
    const endpoints = { sts: "https://vpce-1.sts.eu-central-1.vpce.amazonaws.com" };
    const all = { ...least, endpoints, ca: makeCertificates().ca };
    for (const given of [least, all]) expect(schema.parse(given)).toEqual(given);
    expect(destinationOf(all, "sts").url).toBe(endpoints.sts);
    expect(destinationOf(all, "secretsmanager").url).toBe("https://secretsmanager.eu-central-1.amazonaws.com");
  });

  test.each([
    { ...least, account: "12345678901" },
    { ...least, account: 123_456_789_012 },
    { ...least, region: "eu-central-1.example.com/" },
    { ...least, region: "" },
    { ...least, accessKeyId: "AKIA/../x" },
    { ...least, endpoints: { sts: "http://sts.example.com" } },
    { ...least, endpoints: { sts: "https://user:word@sts.example.com" } },
    { ...least, endpoints: { sts: "https://sts.example.com/path" } },
    { ...least, endpoints: { s3: "https://s3.example.com" } },
    { ...least, ca: "-----BEGIN CERTIFICATE-----" },
  ])("takes nothing that is none: %o", (given) => {
    expect(schema.safeParse(given).success).toBe(false);
  });

  test("has the secret part of its key alone for a secret", () => {
    expect(awsAdminFields).toMatchObject({ secretAccessKey: { secret: true } });
    expect(Object.keys(awsAdminFields)).toHaveLength(1);
  });
});

test("names are those of the account, the region and its partition", () => {
  expect(iamArn(least, "user/orders")).toBe("arn:aws:iam::123456789012:user/orders");
  expect(secretArn({ ...least, region: "cn-north-1" }, "shop/*")).toBe(
    "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:shop/*",
  );
});
