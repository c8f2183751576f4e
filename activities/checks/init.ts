import { PermanentError } from "../../domain/errors.ts";
import { findConnectionTo, readRegisteredCredential } from "../../ledger/registered-already.ts";
import type { Claimed, Inspection } from "../../providers/contract/init.ts";
import type { Finding } from "../../providers/contract/issuer.ts";
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
  const definition = issuerOf(deps, given.issuer);
  const { init: ability } = definition;
  if (ability === undefined || secret === undefined)
    throw new PermanentError("internal", "This worker cannot look at such a system. Run the release of the API.");
  const found = await ability.inspect(ability.questionSchema.parse(given.question), secret, context);
  const { claimed, seen, username } = found;
  const { db } = deps.ledger;
  if (claimed !== undefined) {
    const isHere = claimed.by?.instance === check.instance;
    const credential = isHere ? await readRegisteredCredential(db, claimed.by.credential) : undefined;
    const isOurs = credential !== undefined;
    const none = { seen, username, steps: [], manifests: [] };
    return {
      ok: true,
      findings: isOurs ? [] : [claimedElsewhere(username, claimed, isHere)],
      result: { ...none, credential: credential ?? `${given.team}/${given.name}`, isUnderRekey: isOurs },
    };
  }
  const connection = await findConnectionTo(db, {
    ...{ team: given.team, environment: given.environment, kind: given.issuer, identity: found.identity },
    adminPrincipal: definition.adminPrincipalOf(definition.connectionSchema.parse(found.connection)),
    settings: definition.connectionSchema.parse(found.connection),
  });
  const result = {
    ...{ seen, username, steps: found.steps, credential: `${given.team}/${given.name}`, isUnderRekey: false },
    ...(connection === undefined ? {} : { connection }),
    manifests: manifestsFor(given, found, connection),
  };
  return { ok: true, findings: found.findings, result };
};

/** Nothing is offered beside somebody's pair: a person has to know whose it is. */
function claimedElsewhere(username: string, { on, by, mend }: Claimed, isHere: boolean): Finding {
  const whose =
    by === undefined ? "one that cannot be read" : isHere ? "a credential that was deleted here" : "another rekey";
  return {
    code: "principal_claimed",
    detail: `${username} looks as if it were under rekey already: ${on} carries the mark of ${whose}. If it is rotated there, nothing is to do. If nobody rotates it any more, see that no application logs in with its pair, take the mark away, and run this again.`,
    mend,
  };
}

/** Short enough that a first rotation is watched to its end. Without it the defaults count. */
const firstPolicy = { grace: "2m", disabledFor: "1m", observeFor: "30s" };

function manifestsFor(
  { issuer, team, environment, name, consumer }: InitArguments,
  found: Inspection,
  registered: string | undefined,
) {
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
    ...(registered === undefined
      ? [
          of("Connection", connection, {
            kind: issuer,
            config: found.connection,
            secretFrom: { file: `${connection}.password` },
          }),
        ]
      : []),
    of("Credential", name, {
      issuer,
      connection: registered ?? `${team}/${connection}`,
      config: found.credential,
      policy: firstPolicy,
    }),
    ...(consumer === undefined
      ? []
      : [
          of("Consumer", `${name}-${consumer.kind}`, {
            credential: `${team}/${name}`,
            kind: consumer.kind,
            config: consumer.config,
            ...(Object.keys(found.evidence).length === 0 ? {} : { evidence: found.evidence }),
          }),
        ]),
  ];
}
