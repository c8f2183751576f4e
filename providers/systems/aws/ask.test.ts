import { afterEach, beforeEach, expect, test } from "vitest";
import { RekeyError } from "../../../domain/errors.ts";
import { callerIdentity, refusal, scriptedAws, type ScriptedAws } from "../../../test/harness/scripted-aws.ts";
import { ask, askUnless } from "./ask.ts";
import { iamOf } from "./aws.ts";
import { callerOf, lookAtAccount } from "./identity.ts";

let server: ScriptedAws;
beforeEach(async () => {
  server = await scriptedAws();
});
afterEach(() => {
  server.close();
});

const failure = async (work: Promise<unknown>): Promise<RekeyError> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it has to fail in our words", { cause: error });
};

const change = async () =>
  ask(
    server.aws,
    { action: "iam:CreateAccessKey", resource: "arn:aws:iam::123456789012:user/orders", hasEffect: true },
    async (via) => {
      const { CreateAccessKeyCommand } = await import("@aws-sdk/client-iam");
      return (await iamOf(server.aws)).send(new CreateAccessKeyCommand({ UserName: "orders" }), via);
    },
  );

test("a throttled call is asked again, a few times, with an effect or without", async () => {
  server.answer(refusal(400, "Throttling"), refusal(429, "TooManyRequestsException"), callerIdentity("123456789012"));
  expect(await callerOf(server.aws)).toMatchObject({ account: "123456789012" });
  expect(server.calls).toHaveLength(3);
  server.answer(refusal(400, "Throttling"));
  expect(await failure(change())).toMatchObject({ name: "TransientError", code: "system_throttled" });
  expect(server.calls).toHaveLength(8);
});

test("a change that met another one is asked again, a few times, and is never a person's", async () => {
  const met = refusal(409, "ConcurrentModification");
  server.answer(met, refusal(409, "ConcurrentModificationException"), {
    status: 200,
    body: "<CreateAccessKeyResponse/>",
  });
  await change();
  expect(server.calls).toHaveLength(3);
  server.answer(met);
  expect(await failure(change())).toMatchObject({ name: "TransientError", code: "system_throttled" });
  expect(server.calls).toHaveLength(8);
});

test("an effect whose answer is lost, or that failed half-way, is not sent again", async () => {
  server.answer({ status: 200, isLost: true });
  expect(await failure(change())).toMatchObject({ name: "TransientError", code: "issuer_unreachable" });
  server.answer({ status: 503, body: "<html>busy</html>" });
  expect(await failure(change())).toMatchObject({ name: "TransientError", code: "issuer_unreachable" });
  expect(server.calls).toHaveLength(2);
});

test("a look that failed at the server is asked again", async () => {
  server.answer(refusal(500, "InternalFailure"), callerIdentity("123456789012"));
  await callerOf(server.aws);
  expect(server.calls).toHaveLength(2);
});

const hourAgo = new Date(Date.now() - 3_600_000).toUTCString();

test.each([
  ["ExpiredToken", 403, "login_expired", {}],
  ["ExpiredTokenException", 400, "login_expired", {}],
  ["InvalidClientTokenId", 403, "issuer_auth_failed", {}],
  ["UnrecognizedClientException", 400, "issuer_auth_failed", {}],
  ["SignatureDoesNotMatch", 403, "issuer_auth_failed", {}],
  ["SignatureDoesNotMatch", 403, "clock_skewed", { date: hourAgo }],
  ["InvalidSignatureException", 400, "clock_skewed", { date: hourAgo }],
  ["RequestTimeTooSkewed", 403, "clock_skewed", {}],
  ["AccessDenied", 403, "right_missing", {}],
  ["AccessDeniedException", 400, "right_missing", {}],
  ["RegionDisabledException", 403, "region_wrong", {}],
  ["SomethingNew", 400, "principal_missing", {}],
])("%s (%i) is %s, for a person, and nothing of its text is repeated", async (name, status, code, headers) => {
  server.answer({ ...refusal(status, name, "the text of a stranger"), headers });
  const error = await failure(change());
  expect(error).toMatchObject({ name: "OperatorNeededError", code });
  expect(error.message).not.toContain("stranger");
  expect(error.cause).toBeUndefined();
});

test("a signature for another region is told from one with a wrong secret", async () => {
  server.answer(refusal(403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region. "));
  expect(await failure(change())).toMatchObject({ code: "region_wrong" });
});

test("a missing right is named with the statement to add", async () => {
  server.answer(refusal(403, "AccessDenied"));
  const { detail } = await failure(change());
  expect(detail).toContain(
    '{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"arn:aws:iam::123456789012:user/orders"}',
  );
});

test("this machine's clock is never corrected by an answer", async () => {
  server.answer({ ...callerIdentity("123456789012"), headers: { date: hourAgo } });
  const look = await lookAtAccount(server.aws);
  expect(look.findings.map(({ code }) => code)).toContain("clock_skewed");
  await callerOf(server.aws);
  const stamp = String(server.calls.at(-1)?.headers["x-amz-date"]);
  const at = Date.parse(stamp.replace(/^(....)(..)(..T)(..)(..)(..Z)$/, "$1-$2-$3$4:$5:$6"));
  expect(Math.abs(at - Date.now())).toBeLessThan(600_000);
});

test("another account's key is refused, and both accounts are named", async () => {
  server.answer(callerIdentity("999999999999"));
  const error = await failure(callerOf(server.aws));
  expect(error).toMatchObject({ name: "OperatorNeededError", code: "account_unknown" });
  expect(error.detail).toMatch(/999999999999.*123456789012/s);
});

test("the root user's key is far more than is needed", async () => {
  server.answer(callerIdentity("123456789012", "arn:aws:iam::123456789012:root"));
  const { findings } = await lookAtAccount(server.aws);
  expect(findings.map(({ code }) => code)).toEqual(["right_unneeded"]);
});

test("an answer that is none, and one that is too long, are no answer", async () => {
  for (const body of ["<html>a portal</html>", "x".repeat(1_200_000)]) {
    server.answer({ status: 200, body });
    const error = await failure(callerOf(server.aws));
    expect(["account_unknown", "issuer_unreachable", "principal_missing"]).toContain(error.code);
  }
});

test("a refusal that is an answer is one, and no other is", async () => {
  const look = async () =>
    askUnless(server.aws, { action: "iam:GetUser", resource: "*" }, ["NoSuchEntityException"], async (via) => {
      const { GetUserCommand } = await import("@aws-sdk/client-iam");
      return (await iamOf(server.aws)).send(new GetUserCommand({}), via);
    });
  server.answer(refusal(404, "NoSuchEntity"));
  expect(await look()).toBeUndefined();
  server.answer(refusal(403, "AccessDenied"));
  expect(await failure(look())).toMatchObject({ code: "right_missing" });
});
