import { z } from "zod";
import { printable } from "../../../domain/printable.ts";
import type { Instance } from "../../contract/consumer.ts";
import type { EvidenceAnswer, EvidenceDefinition, EvidenceQuestion } from "../../contract/evidence.ts";

const configSchema = z.strictObject({
  instances: z.int().min(1).max(10_000).default(1).describe("How many instances must run at least"),
});

type PlatformConfig = z.infer<typeof configSchema>;

/** The platform that runs the consumer shows each of its instances started with what was delivered last. */
export const platform: EvidenceDefinition<PlatformConfig> = {
  kind: "platform",
  title: "Running instances as their platform shows them",
  strength: "observed",
  needsChange: false,
  needsInstances: true,
  configSchema,
  collect,
};

const mostShown = 5;
const longest = 253;

async function collect({ config, expected, instances }: EvidenceQuestion<PlatformConfig>): Promise<EvidenceAnswer> {
  if (instances === undefined)
    return {
      complete: false,
      instances: 0,
      lacks: ["The consumer's kind shows no instances. Register other evidence for it."],
    };
  const shown = await instances();
  const fresh = shown.instances.filter(({ state }) => state === "new").length;
  const others = shown.instances.filter(({ state }) => state !== "new").map((one) => describe(one, expected.version));
  const lacks = [...shown.lacks, ...others.slice(0, mostShown)];
  if (others.length > mostShown) lacks.push(`And so with ${others.length - mostShown} more instances.`);
  if (fresh < config.instances)
    lacks.push(`Running with version ${expected.version}: ${fresh} of ${config.instances} instances.`);
  return { complete: lacks.length === 0, instances: fresh, lacks };
}

function describe({ name, state, detail }: Instance, version: number): string {
  const says = {
    new: `runs with version ${version}`,
    old: `has not started anew with version ${version}`,
    starting: "is still starting",
    failed: "does not come up",
  }[state];
  return `Instance ${printable(name, longest)} ${says}${detail === undefined ? "." : `: ${printable(detail, longest)}`}`;
}
