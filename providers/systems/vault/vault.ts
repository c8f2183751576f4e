import type { z } from "zod";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import { failureOf, forbidden, mountMissing } from "./failure.ts";
import { openLogin, type VaultLogin } from "./login.ts";
import { wordsFor, type Right } from "./rights.ts";
import { isGood, isMountMissing, send, type WireCall } from "./way.ts";

export interface VaultCall extends Omit<WireCall, "token"> {
  /** What it takes: named where it is missing. */
  readonly right: Right;
  /** Statuses that the caller understands, besides the good ones. 404 is nothing in a mount that is there, never a missing mount. */
  readonly expects?: readonly number[];
}

/** One Vault behind one login. */
export interface Vault extends VaultLogin {
  /** A success, or a status that was expected. Throws everything else as one of our errors. */
  ask(call: VaultCall, signal: AbortSignal): Promise<EgressAnswer>;
  /** Logs in, unless it has; so that a login that is refused is named as such. */
  login(signal: AbortSignal): Promise<void>;
  /** Ends the tokens that were made for it. */
  close(signal: AbortSignal): Promise<void>;
}

/** Makes no call: the first one logs in. */
export function openVault(way: VaultLogin): Vault {
  const login = openLogin(way);
  return {
    ...way,
    login: async (signal) => void (await login.token(signal)),
    close: async (signal) => login.close(signal),
    async ask({ right, expects = [], ...call }, signal) {
      const token = await login.token(signal);
      let answer = await send(way, { ...call, token }, signal);
      if (answer.status === 403) {
        // The same status says that the token has ended and that it may not: only the token itself tells.
        const self = await send(way, { path: "auth/token/lookup-self", token }, signal);
        if (!isGood(self)) {
          login.drop(token);
          answer = await send(way, { ...call, token: await login.token(signal) }, signal);
        }
      }
      // Before it is taken for "nothing there": whoever asks would forget a value, or believe a key gone, that is only elsewhere.
      if (isMountMissing(answer)) throw mountMissing(way, wordsFor(right));
      if (isGood(answer) || expects.includes(answer.status ?? 0)) return answer;
      if (answer.status === 403) throw forbidden([right], way);
      throw await failureOf(way, answer, wordsFor(right), signal);
    },
  };
}

/** What the answer holds, where it is what Vault answers. */
export function parsedAs<T>(
  { side }: Pick<Vault, "side">,
  schema: z.ZodType<T>,
  answer: EgressAnswer,
  right: Right,
): T {
  const result = schema.safeParse(answer.body);
  if (result.success) return result.data;
  throw new OperatorNeededError(
    side.unexpected,
    `What was answered to ${wordsFor(right)} is not what Vault answers. See that the address is that of a Vault, then retry.`,
  );
}
