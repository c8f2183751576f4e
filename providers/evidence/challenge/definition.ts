import type { ProviderContext } from "../../contract/context.ts";
import type { EvidenceAnswer, EvidenceDefinition, EvidenceQuestion } from "../../contract/evidence.ts";
import { printable } from "../../../domain/printable.ts";
import { askAddress, type Shown } from "./ask.ts";
import { challengeConfigSchema, type ChallengeConfig } from "./config.ts";
import { isStrongEnough } from "./mac.ts";

type Question = EvidenceQuestion<ChallengeConfig>;

const mostAddresses = 256;
const atOnce = 16;

/** Each running process answers a fresh challenge with the key that it opens connections with. */
export const challenge: EvidenceDefinition<ChallengeConfig> = {
  kind: "challenge",
  title: "Challenge answered by the running process",
  strength: "attested",
  needsChange: true,
  configSchema: challengeConfigSchema,
  example: { url: "https://orders.internal:8443/rekey/challenge", instances: { count: 1 } },
  collect,
};

async function collect(question: Question, context: ProviderContext): Promise<EvidenceAnswer> {
  const { config, expected } = question;
  if (!isStrongEnough(expected.authenticator))
    return nothing(
      `Version ${expected.version} has less than 128 bits, so that an answer could give it away. Use other evidence.`,
    );
  const { hostname } = new URL(config.url);
  const addresses = [...new Set(await context.fetch.resolve(hostname))];
  if (addresses.length === 0) return nothing(`The name ${printable(hostname)} resolves to no address.`);
  if (addresses.length > mostAddresses)
    return nothing(
      `The name ${printable(hostname)} resolves to ${addresses.length} addresses; at most ${mostAddresses} can be asked.`,
    );

  const wanted = "count" in config.instances ? config.instances.count : addresses.length;
  const found = await askUntilCounted(question, addresses, wanted, context);
  const lacks = [...found.lacks];
  if (found.instanceIds.size < wanted)
    lacks.push(
      `Answered with version ${expected.version}: ${found.instanceIds.size} of ${wanted} instances. Each needs an instance id of its own.`,
    );
  return { complete: lacks.length === 0, instances: found.instanceIds.size, lacks };
}

interface Found {
  readonly instanceIds: Set<string>;
  readonly lacks: Set<string>;
}

/**
 * Asks every address at least once. Behind a balancer several instances share one address and one connection meets one
 * of them: then it asks again until the declared number was met, or it has tried often enough, or one was wrong.
 */
async function askUntilCounted(
  question: Question,
  addresses: readonly string[],
  wanted: number,
  context: ProviderContext,
): Promise<Found> {
  const found: Found = { instanceIds: new Set(), lacks: new Set() };
  const rounds = addresses.length >= wanted ? 1 : Math.min(4 * wanted, 64);
  for (let round = 0; round < rounds; round += 1) {
    for (const shown of await askAll(question, addresses, context)) {
      if ("lack" in shown) found.lacks.add(shown.lack);
      else found.instanceIds.add(shown.instanceId);
    }
    if (found.lacks.size > 0 || found.instanceIds.size >= wanted) break;
  }
  return found;
}

async function askAll(question: Question, addresses: readonly string[], context: ProviderContext): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (let at = 0; at < addresses.length; at += atOnce) {
    const batch = addresses.slice(at, at + atOnce);
    shown.push(...(await Promise.all(batch.map((address) => askAddress(question, address, context)))));
  }
  return shown;
}

function nothing(lack: string): EvidenceAnswer {
  return { complete: false, instances: 0, lacks: [lack] };
}
