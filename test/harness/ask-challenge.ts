import { randomBytes } from "node:crypto";
import { createEgress } from "../../providers/contract/egress-client.ts";
import type { EvidenceQuestion, EvidenceVersion } from "../../providers/contract/evidence.ts";
import { Secret } from "../../providers/contract/secret.ts";
import type { ChallengeConfig } from "../../providers/evidence/challenge/config.ts";
import { challenge } from "../../providers/evidence/challenge/definition.ts";

const version = (number: number): EvidenceVersion => ({
  version: number,
  handle: `orders#${number}`,
  authenticator: new Secret(randomBytes(24).toString("base64url")),
  effectiveAt: "2026-01-02T03:04:05Z",
});
export const old = version(1);
export const fresh = version(2);
export const ids = { instance: "ins_1", consumer: "con_1" };
export const never = new AbortController().signal;

/** The real way out, to addresses of this machine behind the name `app.internal`. */
export function reach(addresses: readonly string[], port: number) {
  const egress = createEgress({ allowedLocalPorts: [port], ownPorts: [], resolve: async () => [...addresses] });
  return { egress, url: `http://app.internal:${port}/rekey` };
}

/** What the real collector finds there, when `fresh` is expected and `old` is not. */
export async function collect(
  { egress, url }: ReturnType<typeof reach>,
  instances: ChallengeConfig["instances"] = { dns: true },
) {
  const question: EvidenceQuestion<ChallengeConfig> = {
    ...ids,
    config: { url, instances },
    order: "overlap",
    expected: fresh,
    unwanted: old,
    samples: [],
    observeForMs: 0,
  };
  return challenge.collect(question, { fetch: egress, signal: never, log: () => undefined });
}
