import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { scriptedAws, type ScriptedAws } from "../../../test/harness/scripted-aws.ts";
import { iamOf, secretsManagerOf } from "./aws.ts";
import { callerOf } from "./identity.ts";
import { ask } from "./ask.ts";
import { destinationOf } from "./settings.ts";

let [meant, other]: ScriptedAws[] = [];
let home = "";

beforeEach(async () => {
  [meant, other] = [await scriptedAws(), await scriptedAws()];
  home = await mkdtemp(join(tmpdir(), "rekey-aws-home-"));
  const elsewhere = other.settings.endpoints?.sts ?? "";
  await mkdir(join(home, ".aws"));
  const settings = [
    `region = us-east-1`,
    `endpoint_url = ${elsewhere}`,
    `max_attempts = 9`,
    `retry_mode = adaptive`,
    `sdk_ua_app_id = steered`,
    `use_fips_endpoint = true`,
    `disable_clock_skew_correction = false`,
  ].join("\n");
  await writeFile(join(home, ".aws", "config"), `[default]\n${settings}\n[profile steered]\n${settings}\n`);
  const keys =
    "aws_access_key_id = AKIASTEERED000000001\naws_secret_access_key = steered\naws_session_token = steered\n";
  await writeFile(join(home, ".aws", "credentials"), `[default]\n${keys}[steered]\n${keys}`);
  const environment = {
    HOME: home,
    AWS_CONFIG_FILE: join(home, ".aws", "config"),
    AWS_SHARED_CREDENTIALS_FILE: join(home, ".aws", "credentials"),
    AWS_PROFILE: "steered",
    AWS_REGION: "us-east-1",
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_ENDPOINT_URL: elsewhere,
    AWS_ENDPOINT_URL_STS: elsewhere,
    AWS_ENDPOINT_URL_IAM: elsewhere,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: elsewhere,
    AWS_ACCESS_KEY_ID: "AKIASTEERED000000002",
    AWS_SECRET_ACCESS_KEY: "steered",
    AWS_SESSION_TOKEN: "steered",
    AWS_CA_BUNDLE: join(home, "no-such-file"),
    AWS_MAX_ATTEMPTS: "9",
    AWS_RETRY_MODE: "adaptive",
    AWS_SDK_UA_APP_ID: "steered",
    AWS_EXECUTION_ENV: "steered",
    AWS_USE_FIPS_ENDPOINT: "true",
    AWS_USE_DUALSTACK_ENDPOINT: "true",
    AWS_AUTH_SCHEME_PREFERENCE: "sigv4a",
    AWS_DEFAULTS_MODE: "auto",
    HTTPS_PROXY: elsewhere,
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  meant?.close();
  other?.close();
  await rm(home, { recursive: true, force: true });
});

test("nothing of the environment or of the user's files says where a call goes, as whom, or how often", async () => {
  if (meant === undefined || other === undefined) throw new Error("no servers");
  const { aws } = meant;
  await callerOf(aws);
  meant.answer({ status: 500 });
  const call = { action: "some:Thing", resource: "*", hasEffect: true };
  await ask(aws, call, async (via) => {
    const { GetUserCommand } = await import("@aws-sdk/client-iam");
    return (await iamOf(aws)).send(new GetUserCommand({}), via);
  }).catch(() => undefined);
  await ask(aws, call, async (via) => {
    const { ListSecretsCommand } = await import("@aws-sdk/client-secrets-manager");
    return (await secretsManagerOf(aws)).send(new ListSecretsCommand({}), via);
  }).catch(() => undefined);

  expect(other.calls).toEqual([]);
  expect(meant.calls).toHaveLength(3);
  const scopes = meant.calls.map(({ headers }) => /Credential=(\S+?),/.exec(headers.authorization ?? "")?.[1] ?? "");
  const day = String(meant.calls[0]?.headers["x-amz-date"]).slice(0, 8);
  expect(scopes).toEqual(
    ["eu-central-1/sts", "us-east-1/iam", "eu-central-1/secretsmanager"].map(
      (scope) => `${aws.settings.accessKeyId}/${day}/${scope}/aws4_request`,
    ),
  );
  const said = JSON.stringify(meant.calls);
  expect(said).not.toContain("steered");
  expect(said).not.toMatch(/x-amz-security-token/i);
  for (const { headers } of meant.calls) expect(headers["user-agent"]).toMatch(/^rekey( m\/[\w,]+)?$/);
});

test("a server that no given authority vouches for gets nothing", async () => {
  if (meant === undefined || other === undefined) throw new Error("no servers");
  const settings = { ...meant.settings, ca: other.settings.ca };
  await expect(callerOf({ ...meant.aws, settings })).rejects.toMatchObject({ code: "issuer_unreachable" });
  expect(meant.calls).toEqual([]);
});

test.each([
  ["eu-central-1", "https://iam.amazonaws.com", "us-east-1", "https://sts.eu-central-1.amazonaws.com"],
  [
    "cn-northwest-1",
    "https://iam.cn-north-1.amazonaws.com.cn",
    "cn-north-1",
    "https://sts.cn-northwest-1.amazonaws.com.cn",
  ],
  ["us-gov-east-1", "https://iam.us-gov.amazonaws.com", "us-gov-west-1", "https://sts.us-gov-east-1.amazonaws.com"],
])("in %s IAM is asked at %s, signed for %s", (region, iam, signedFor, sts) => {
  const settings = { region };
  expect(destinationOf(settings, "iam")).toEqual({ url: iam, region: signedFor });
  expect(destinationOf(settings, "sts")).toEqual({ url: sts, region });
});
