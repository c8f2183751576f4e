import { z } from "zod";
import { OperatorNeededError } from "../../../domain/errors.ts";
import { Secret } from "../../contract/secret.ts";
import { failureOf } from "./failure.ts";
import { isGood, send, type Way } from "./way.ts";

export interface VaultLogin extends Way {
  /** The token, or the secret id; asked for anew at each login. */
  readonly secret: () => Promise<Secret<string>>;
}

interface Held {
  readonly token: Secret<string>;
  readonly isRenewable: boolean;
  /** Of `performance.now()`: until when it may be used without a thought. */
  readonly freshUntil: number;
}

/** A token that is kept alive as long as it can be, and made anew where it cannot. */
export interface Login {
  token(signal: AbortSignal): Promise<Secret<string>>;
  /** This one was refused: the next call gets another. */
  drop(token: Secret<string>): void;
  /** Ends what was made here. */
  close(signal: AbortSignal): Promise<void>;
}

const longestMarginMs = 60_000;

/** It is renewed in its last third, at most a minute before its end. A time to live of 0 has no end. */
function heldFor(token: Secret<string>, seconds: number, isRenewable: boolean): Held {
  const ttlMs = seconds * 1000;
  const marginMs = Math.min(ttlMs / 3, longestMarginMs);
  return { token, isRenewable, freshUntil: seconds === 0 ? Infinity : performance.now() + ttlMs - marginMs };
}

const auth = z.object({
  auth: z.object({ client_token: z.string(), lease_duration: z.number(), renewable: z.boolean() }),
});
const self = z.object({ data: z.object({ ttl: z.number(), creation_ttl: z.number(), renewable: z.boolean() }) });

/** https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle */
async function loggedIn(login: VaultLogin, signal: AbortSignal): Promise<Held> {
  const { mount = "approle", roleId = "" } = login.settings.approle ?? {};
  const secret = await login.secret();
  const json = { role_id: roleId, secret_id: secret.reveal() };
  const answer = await send(login, { method: "POST", path: `auth/${mount}/login`, json }, signal);
  const { data } = auth.safeParse(answer.body);
  if (isGood(answer) && data !== undefined) {
    const { client_token: token, lease_duration: seconds, renewable } = data.auth;
    return heldFor(new Secret(token), seconds, renewable);
  }
  if ([400, 401, 403, 404].includes(answer.status ?? 0))
    throw new OperatorNeededError(
      login.side.authFailed,
      `Vault does not let the AppRole in (${answer.status}, auth/${mount}/login): its secret id has ended or belongs to another role, the role id is wrong, the method is mounted elsewhere, or the login may not come from this address. Make a new secret id, ${login.side.giveLogin}, then retry.`,
    );
  throw await failureOf(login, answer, `log in at auth/${mount}/login`, signal);
}

/** https://developer.hashicorp.com/vault/api-docs/auth/token#lookup-a-token-self */
async function looked(login: VaultLogin, signal: AbortSignal): Promise<Held> {
  const token = await login.secret();
  const answer = await send(login, { path: "auth/token/lookup-self", token }, signal);
  const { data } = self.safeParse(answer.body);
  if (isGood(answer) && data !== undefined) {
    const { ttl, creation_ttl: whole, renewable } = data.data;
    const held = heldFor(token, ttl, renewable);
    // Whoever comes by gives it its whole time again, so that a periodic token outlives the time between rotations.
    return renewable && ttl < whole / 2 ? ((await renewed(login, held, signal)) ?? held) : held;
  }
  if (answer.status === 403)
    throw new OperatorNeededError(
      login.side.expired,
      `Vault does not know the token: it has expired or was revoked (or its policies lack auth/token/lookup-self, which the policy "default" allows). Make a new one, ${login.side.giveLogin}, then retry. A periodic token is renewed by rekey; an AppRole is better still.`,
    );
  throw await failureOf(login, answer, "look up the token", signal);
}

/** Undefined where it cannot be: https://developer.hashicorp.com/vault/api-docs/auth/token#renew-a-token-self */
async function renewed(login: VaultLogin, { token }: Held, signal: AbortSignal): Promise<Held | undefined> {
  const answer = await send(login, { method: "POST", path: "auth/token/renew-self", json: {}, token }, signal);
  const { data } = auth.safeParse(answer.body);
  if (!isGood(answer) || data === undefined) return undefined;
  const { lease_duration: seconds, renewable } = data.auth;
  return heldFor(token, seconds, renewable);
}

/** One login for all who share it; each of them asks with a signal of its own. */
export function openLogin(login: VaultLogin): Login {
  const isRole = login.settings.approle !== undefined;
  const made = new Set<Secret<string>>();
  let held: Held | undefined;
  let underWay: Promise<Held> | undefined;

  const obtain = async (signal: AbortSignal): Promise<Held> => {
    const kept = held?.isRenewable === true ? await renewed(login, held, signal) : undefined;
    // Near the end of all its time a token is given less than the margin: then it is time for another.
    if (kept !== undefined && kept.freshUntil > performance.now()) return kept;
    const next = isRole ? await loggedIn(login, signal) : await looked(login, signal);
    if (isRole) made.add(next.token);
    return next;
  };

  return {
    async token(signal) {
      for (;;) {
        if (held !== undefined && performance.now() < held.freshUntil) return held.token;
        if (underWay === undefined) {
          underWay = obtain(signal)
            .then((next) => (held = next))
            .finally(() => (underWay = undefined));
          return (await underWay).token;
        }
        // It may fail for a reason of the other's, such as a signal: then this one tries by itself.
        await underWay.catch(() => undefined);
        signal.throwIfAborted();
      }
    },
    drop(token) {
      if (held?.token === token) held = undefined;
    },
    async close(signal) {
      held = undefined;
      for (const token of made)
        await send(login, { method: "POST", path: "auth/token/revoke-self", json: {}, token }, signal);
      made.clear();
    },
  };
}
