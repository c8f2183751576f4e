import { randomBytes } from "node:crypto";
import type { ProbeAnswer, ProbeRequest } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField, type Value } from "../../contract/value.ts";
import { askUnless } from "../../systems/aws/ask.ts";
import { stsOf, type Aws } from "../../systems/aws/aws.ts";
import { callerOf, userNameIn } from "../../systems/aws/identity.ts";
import { listKeys, type ManagedUser } from "./user.ts";

/** What AWS says of a key that it does not know, or that is inactive. */
export const unknownKey = "InvalidClientTokenId";
/** What it says of a key that it knows, with another secret. */
const wrongSecret = "SignatureDoesNotMatch";
const refusals = [unknownKey, wrongSecret, "ExpiredToken"];

/** `accepted`, or what the key was refused with. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
async function loginWith({ aws, name }: ManagedUser, value: Value, secret?: string): Promise<string> {
  const { GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
  const as: Aws = {
    ...aws,
    settings: { ...aws.settings, accessKeyId: revealField(value, "accessKeyId") },
    secretAccessKey: new Secret(secret ?? revealField(value, "secretAccessKey")),
  };
  const call = { action: "sts:GetCallerIdentity", resource: "*" };
  const client = await stsOf(as);
  let refused = "refused";
  const found = await askUnless(as, call, refusals, async (via) =>
    client.send(new GetCallerIdentityCommand({}), via).catch((error: unknown) => {
      if (error instanceof Error && refusals.includes(error.name)) refused = error.name;
      throw error;
    }),
  );
  if (found === undefined) return refused;
  const isUser = found.Account === aws.settings.account && userNameIn(found.Arn ?? "") === name;
  return isUser ? "accepted" : "other_principal";
}

const anySecret = (): string => randomBytes(30).toString("base64");

async function ownLogin(aws: Aws): Promise<string> {
  await callerOf(aws);
  return "accepted";
}

/** Asks for the caller's identity, which no policy can deny: so a refusal is about the key alone. */
export async function probeKey(user: ManagedUser, { handle, value, control }: ProbeRequest): Promise<ProbeAnswer> {
  const controls: { control: string; answer: string }[] = [];
  const ask = async (name: string, asked: Promise<string>): Promise<string> => {
    const answer = await asked;
    controls.push({ control: name, answer });
    return answer;
  };
  const unknown = (code: string, why?: string): ProbeAnswer => ({
    verdict: "unknown",
    code,
    controls,
    ...(why === undefined ? {} : { why }),
  });

  const answer = await loginWith(user, value);
  if (answer === "accepted") {
    const wrong = await ask("the same key with a wrong secret", loginWith(user, value, anySecret()));
    if (wrong === "accepted") return unknown("anything_accepted", "A wrong secret is accepted as well.");
    // Another server, which does not know the key yet, or no more.
    if (wrong !== wrongSecret) return unknown("servers_disagree");
    return { verdict: "accepted", code: "accepted", controls };
  }
  if (answer !== unknownKey) return unknown(answer);

  const living = control === undefined ? ownLogin(user.aws) : loginWith(user, control);
  const alive = await ask(control === undefined ? "the connection's own key" : "the newest live version", living);
  if (alive !== "accepted") return unknown("control_refused", "The control is refused too, so that nothing is shown.");
  if (control !== undefined) {
    const wrong = await ask("the newest live version with a wrong secret", loginWith(user, control, anySecret()));
    if (wrong !== wrongSecret) return unknown(wrong === "accepted" ? "anything_accepted" : "servers_disagree");
  }
  const listed = (await listKeys(user)).keys.find(({ id }) => id === handle);
  const shown = listed === undefined ? "ended" : listed.isActive ? "live" : "inactive";
  await ask("the user's keys as IAM lists them", Promise.resolve(shown));
  if (listed !== undefined) return unknown(listed.isActive ? "catalogue_says_live" : "inactive");
  return { verdict: "refused", code: unknownKey, controls };
}
