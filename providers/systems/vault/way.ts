import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Egress, EgressAnswer, EgressRequest } from "../../contract/egress.ts";
import type { Secret } from "../../contract/secret.ts";
import type { VaultSettings } from "./connection.ts";
import type { Side } from "./side.ts";

/** One Vault, as somebody of rekey reaches it. */
export interface Way {
  readonly settings: VaultSettings;
  readonly fetch: Egress;
  readonly side: Side;
}

export interface WireCall extends Pick<EgressRequest, "method" | "json" | "contentType"> {
  /** Behind `/v1/`, each part fit for a URL. */
  readonly path: string;
  readonly token?: Secret<string>;
  /** Asked of the server itself and not of a namespace. */
  readonly isOfServer?: true;
}

const largestAnswer = 4 * 1_048_576;
const mostTries = 4;
/** Longer is not waited for here: whoever asked is tried again by itself. */
const longestWaitMs = 5_000;

/**
 * Any answer, with its body whatever the status. A rate limit that says when to ask again is waited for, a few times.
 * https://developer.hashicorp.com/vault/api-docs#http-status-codes
 */
export async function send(way: Way, call: WireCall, signal: AbortSignal): Promise<EgressAnswer> {
  const { settings } = way;
  const { path, token, isOfServer, ...request } = call;
  const url = new URL(`/v1/${path}`, settings.address).href;
  const { namespace, ca } = settings;
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    const answer = await way.fetch(
      {
        method: "GET",
        ...request,
        url,
        reads: "any",
        largestAnswer,
        headers: {
          "x-vault-request": "true",
          ...(namespace === undefined || isOfServer === true ? {} : { "x-vault-namespace": namespace }),
        },
        ...(token === undefined ? {} : { secretHeaders: { "x-vault-token": token } }),
        ...(ca === undefined ? {} : { ca }),
      },
      signal,
    );
    const waitMs = answer.status === 429 ? answer.retryAfterMs : undefined;
    if (waitMs === undefined || waitMs > longestWaitMs || tries === mostTries) return answer;
    await sleep(waitMs, undefined, { signal });
  }
}

const withErrors = z.object({ errors: z.array(z.unknown()).min(1) });

/**
 * Vault answers with 404 where a mount has nothing at a path, and where there is no such mount, or one of another kind:
 * only the latter say why. https://developer.hashicorp.com/vault/api-docs#error-response
 */
export const isMountMissing = ({ status, body }: EgressAnswer): boolean =>
  status === 404 && withErrors.safeParse(body).success;

export const isGood = ({ status = 0 }: EgressAnswer): boolean => status >= 200 && status <= 299;
