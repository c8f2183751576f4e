import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { ProbeAnswer, ProbeRequest } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField, type Value } from "../../contract/value.ts";
import { failureOf } from "../../systems/vault/failure.ts";
import { isGood, send } from "../../systems/vault/way.ts";
import { isThere } from "./api.ts";
import { readHandle } from "./config.ts";
import { loginPath, type Scope } from "./scope.ts";

/** Vault does not know the secret id, or not for this role. Whether it is the one or the other, the catalogue tells. */
export const endedCode = "invalid_secret_id";

type LoginAnswer = "accepted" | typeof endedCode | "permission_denied";

const auth = z.object({ auth: z.object({ accessor: z.string() }) });

/** Logs in as a consumer does. `keep` gets the accessor of the token that was made. */
async function login(scope: Scope, value: Value, keep: (accessor: string) => Promise<void>): Promise<LoginAnswer> {
  const { vault, signal, config } = scope;
  const path = loginPath(config);
  const json = { role_id: revealField(value, "role_id"), secret_id: revealField(value, "secret_id") };
  // https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle
  const answer = await send(vault, { method: "POST", path, json }, signal);
  const made = auth.safeParse(answer.body).data;
  if (isGood(answer) && made !== undefined) {
    await keep(made.auth.accessor);
    return "accepted";
  }
  if (answer.status === 400) return endedCode;
  // Wrong tries lock a role out: https://developer.hashicorp.com/vault/docs/concepts/user-lockout
  if (answer.status === 403) return "permission_denied";
  throw await failureOf(vault, answer, `log in at ${path}`, signal);
}

const lockedOut =
  "Vault lets nobody in on this role now: it was locked by wrong secret ids (its user lockout lasts 15 minutes unless told otherwise), or a rule of the role or a quota keeps us out. Find out who tries; then retry.";

/** A login as the consumer's, and beside it what makes its answer count. */
export async function probe(
  scope: Scope,
  { handle, value, control }: ProbeRequest,
  keep: (accessor: string) => Promise<void>,
): Promise<ProbeAnswer> {
  const controls: { control: string; answer: string }[] = [];
  const unknown = (code: string, why?: string): ProbeAnswer => ({
    verdict: "unknown",
    code,
    controls,
    ...(why === undefined ? {} : { why }),
  });
  const ask = async (name: string, answer: Promise<string>) => {
    controls.push({ control: name, answer: await answer });
    return answer;
  };
  const catalogue = async (): Promise<boolean> => {
    const isLive = await isThere(scope, readHandle(handle).accessor);
    controls.push({ control: "catalogue", answer: isLive ? "live" : "ended" });
    return isLive;
  };
  // No right login would come after it: tried again and again, what has ended would lock the role for its applications.
  if (control === undefined && !(await catalogue())) {
    await ask("the connection's own login", ownLogin(scope));
    return { verdict: "refused", code: endedCode, controls };
  }
  const answer = await login(scope, value, keep);
  if (answer === "accepted") {
    // After the right one: that has cleared Vault's count of wrong tries on the role, so that ours alone never locks it.
    const wrong = { ...value, secret_id: new Secret(randomBytes(24).toString("base64url")) };
    const said = await ask("wrong value", login(scope, wrong, keep));
    if (said === endedCode) return { verdict: "accepted", code: "accepted", controls };
    return unknown(
      said === "accepted" ? "wrong_value_accepted" : said,
      said === "accepted"
        ? "The role lets any secret id in (bind_secret_id is off). Turn it on, then retry."
        : lockedOut,
    );
  }
  if (answer !== endedCode) return unknown(answer, lockedOut);
  if (control !== undefined && (await ask("live version", login(scope, control, keep))) !== "accepted")
    return unknown("control_refused", lockedOut);
  if (control === undefined || (await catalogue()))
    return unknown(
      "catalogue_says_live",
      "Vault refuses the value and yet lists its secret id: the value is another one, or the login may not come from here.",
    );
  return { verdict: "refused", code: endedCode, controls };
}

async function ownLogin({ vault, signal }: Scope): Promise<string> {
  await vault.login(signal);
  const right = { path: "auth/token/lookup-self", capabilities: ["read"] } as const;
  await vault.ask({ path: right.path, right }, signal);
  return "accepted";
}
