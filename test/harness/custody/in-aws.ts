import type { FakeAws } from "../aws/fake-aws.ts";
import { holderOf, type SecretVersion } from "../aws/secret-versions.ts";
import type { FakeSecret } from "../aws/secrets.ts";
import { textIn, type CustodyWitness, type Resting } from "./witness.ts";

const weekMs = 7 * 86_400_000;

/** Looks behind the calls of the stand-in, in every region. */
export function witnessInAws(aws: FakeAws, at: Pick<CustodyWitness, "place" | "secrets">): CustodyWitness {
  const secretsOf = (credentialId: string): readonly FakeSecret[] =>
    aws.settings.regions
      .flatMap((region) => aws.secrets.in(region))
      .filter(({ name }) => name.split("/").includes(credentialId));
  return {
    ...at,
    resting: async (credentialId) => Promise.resolve(secretsOf(credentialId).flatMap(restingIn)),
    async hide(credentialId) {
      const sinceMs = Date.now();
      for (const secret of secretsOf(credentialId)) secret.deletion = { sinceMs, dueMs: sinceMs + weekMs };
      return Promise.resolve();
    },
  };
}

/** Only what has a stage is found by whoever does not know its id. */
function restingIn({ name, versions, deletion }: FakeSecret): readonly Resting[] {
  const number = Number(name.split("/").at(-2));
  const current = holderOf(versions, "AWSCURRENT");
  const values = [...versions.values()].filter((version) => version.stages.size > 0 && textOf(version) !== "");
  return [
    ...values.map((version): Resting => {
      const isKept = version === current && deletion === undefined;
      return { number, state: isKept ? "kept" : "rest", text: textOf(version) };
    }),
    // A mark alone, which AWS would keep and bill for ever.
    ...(values.length === 0 && deletion === undefined ? [{ number, state: "rest" as const }] : []),
  ];
}

function textOf({ content }: SecretVersion): string {
  const text = "SecretString" in content ? content.SecretString : "";
  return textIn(JSON.parse(text) as Readonly<Record<string, unknown>>);
}
