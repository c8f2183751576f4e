import { PermanentError } from "../../domain/errors.ts";
import type { Inspection } from "../../providers/contract/init.ts";
import type { CheckWork } from "../run-check.ts";
import { issuerOf } from "../reach.ts";

/** What a person says of an issuer that nobody has registered yet. Checked by the API before it is stored. */
export interface InitArguments {
  readonly issuer: string;
  readonly question: unknown;
  /** How it is to be called here. */
  readonly team: string;
  readonly environment: string;
  readonly name: string;
  /** What the consumer's manifest begins with; none is made without it. */
  readonly consumer?: { readonly kind: string; readonly config: unknown };
}

/** Looks at a system with a login that is given for this once, and writes what it takes to bring it under rekey. */
export const init: CheckWork = async ({ deps, check, context, secret }) => {
  const given = check.arguments as unknown as InitArguments;
  const { init: ability } = issuerOf(deps, given.issuer);
  if (ability === undefined || secret === undefined)
    throw new PermanentError("internal", "This worker cannot look at such a system. Run the release of the API.");
  const found = await ability.inspect(ability.questionSchema.parse(given.question), secret, context);
  const { seen, findings, steps } = found;
  const credential = `${given.team}/${given.name}`;
  const result = { seen, steps, credential, username: found.username, manifests: manifestsFor(given, found) };
  return { ok: true, findings, result };
};

/** Short enough that a first rotation is watched to its end. Without it the defaults count. */
const firstPolicy = { grace: "2m", disabledFor: "1m", observeFor: "30s" };

function manifestsFor({ issuer, team, environment, name, consumer }: InitArguments, found: Inspection) {
  const of = (kind: string, own: string, spec: Readonly<Record<string, unknown>>) => ({
    apiVersion: "rekey/v1",
    kind,
    metadata: { name: own, team, environment },
    spec,
  });
  const connection = `${name}-server`;
  return [
    { apiVersion: "rekey/v1", kind: "Team", metadata: { name: team } },
    { apiVersion: "rekey/v1", kind: "Environment", metadata: { name: environment } },
    of("Connection", connection, {
      kind: issuer,
      config: found.connection,
      secretFrom: { file: `${connection}.password` },
    }),
    of("Credential", name, {
      issuer,
      connection: `${team}/${connection}`,
      config: found.credential,
      policy: firstPolicy,
    }),
    ...(consumer === undefined
      ? []
      : [
          of("Consumer", "application", {
            credential: `${team}/${name}`,
            kind: consumer.kind,
            config: consumer.config,
            ...(Object.keys(found.evidence).length === 0 ? {} : { evidence: found.evidence }),
          }),
        ]),
  ];
}
