import { setImmediate as breathe } from "node:timers/promises";
import { lifeOf, tieTo } from "../domain/leak.ts";
import type { Scope } from "../domain/scope.ts";
import { spellingsOf } from "../domain/spellings.ts";
import { admitLeakCheck, recordLeakFinds } from "../ledger/leak-checks.ts";
import {
  findLeakedConnections,
  findLeakedTokens,
  findLeakedVersions,
  readConsumerStandings,
  readFingerprintKeyIds,
  readUnrecognisable,
  type LeakedConnection,
  type LeakedToken,
  type LeakedVersion,
  type TiedConsumer,
} from "../ledger/leak-views.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { mostLeakedCharacters } from "./leak-routes.ts";
import { nextOf, commandOf } from "./leak-advice.ts";
import { tokenDigest } from "./new-token.ts";
import { possibleSecret } from "./possible-secret.ts";
import { ProblemError } from "./problem.ts";

/** What one value is looked for by. The value itself is not among it. */
interface Traces {
  readonly isRedacted: boolean;
  readonly fingerprints: ReadonlySet<string>;
  readonly handles: ReadonlySet<string>;
  /** SHA-256 of what may be tokens of rekey, in hex. */
  readonly digests: ReadonlySet<string>;
}

/** How many of the versions that cannot be recognised are named. */
const mostNamed = 10;

export const leakHandlers: Handlers<"checkLeaks"> = {
  async checkLeaks({ body, actor, scope }, deps) {
    const { ledger, leakValuesAMinute } = deps;
    const { values } = body;
    if (values.reduce((sum, { length }) => sum + length, 0) > mostLeakedCharacters)
      throw new ProblemError(
        "request_invalid",
        `The values of one request may have ${mostLeakedCharacters} characters together. Send them in several.`,
      );
    if (!(await admitLeakCheck(ledger, { actor, values: values.length }, leakValuesAMinute)))
      throw new ProblemError(
        "too_many_requests",
        `Of one token ${leakValuesAMinute} values are compared in a minute (REKEY_LEAK_VALUES_A_MINUTE). Nothing of these was.`,
      );
    const traces: Traces[] = [];
    for (const value of values) {
      traces.push(tracesOf(deps, value));
      // A long text takes milliseconds, in which nobody else would be answered.
      await breathe();
    }
    const found = await findAll(deps, scope, traces);
    await recordLeakFinds(ledger, actor, {
      versions: found.versions.map(({ credentialId, version, state, revivedAt }) => ({
        credentialId,
        version,
        life: lifeOf(state, revivedAt !== null),
      })),
      connections: found.connections.map(({ id }) => id),
      tokens: found.tokens.map(({ id }) => id),
    });
    const answers = traces.map((one) => answerOf(one, found));
    return asJson({ answers, notCompared: await readNotCompared(deps, scope) });
  },
};

function tracesOf({ fingerprints, catalog }: ApiDeps, value: string): Traces {
  const spellings = spellingsOf(value);
  const issuers = Object.values(catalog.issuers);
  return {
    isRedacted: value.trim() !== "" && possibleSecret(value.trim()).length === 0,
    fingerprints: new Set(spellings.flatMap(possibleSecret).flatMap((secret) => fingerprints.every(secret))),
    handles: new Set(spellings.flatMap((one) => issuers.flatMap((issuer) => issuer.handlesIn?.(one) ?? []))),
    digests: new Set(
      spellings
        .flatMap((one) => one.match(/rk_[A-Za-z0-9_-]{43}/g) ?? [])
        .map((one) => tokenDigest(one).toString("hex")),
    ),
  };
}

interface Found {
  readonly versions: readonly LeakedVersion[];
  readonly connections: readonly LeakedConnection[];
  readonly tokens: readonly LeakedToken[];
  readonly consumers: readonly TiedConsumer[];
}

async function findAll({ ledger: { db } }: ApiDeps, scope: Scope, traces: readonly Traces[]): Promise<Found> {
  const all = (part: "fingerprints" | "handles" | "digests") => [...new Set(traces.flatMap((one) => [...one[part]]))];
  const [fingerprints, handles] = [all("fingerprints"), all("handles")];
  const rows = await findLeakedVersions(db, scope, { fingerprints, handles });
  // One that was found by both its value and its handle is one.
  const versions = [...new Map(rows.map((row) => [`${row.credentialId} ${row.version}`, row])).values()];
  const digests = all("digests").map((one) => Buffer.from(one, "hex"));
  return {
    versions,
    connections: await findLeakedConnections(db, scope, fingerprints),
    tokens: await findLeakedTokens(db, scope, digests),
    consumers: await readConsumerStandings(db, scope, [...new Set(versions.map(({ credentialId }) => credentialId))]),
  };
}

function answerOf(traces: Traces, found: Found) {
  const hasValue = ({ fingerprint }: LeakedVersion) => fingerprint !== null && traces.fingerprints.has(fingerprint);
  const isNamed = ({ handle }: LeakedVersion) => handle !== null && traces.handles.has(handle);
  const versions = found.versions
    .filter((one) => hasValue(one) || isNamed(one))
    .map((one) => versionAnswer(one, hasValue(one) ? "value" : "handle", found.consumers));
  const connections = found.connections
    .filter((one) => one.fingerprints.some((fingerprint) => traces.fingerprints.has(fingerprint)))
    .map((one) => ({
      ...{ connection: one.connection, environment: one.environment, kind: one.kind, principal: one.principal },
      next: `Nothing rotates the secret of a connection. Set another at the system by hand, then \`rekey apply\` the manifest of ${one.connection} with the new one under secretFrom, and see that the system refuses the former one.`,
    }));
  const tokens = found.tokens
    .filter(({ digest }) => traces.digests.has(digest.toString("hex")))
    .map(({ id, role, isValid }) => ({
      ...{ id, role, isValid },
      command: isValid ? `rekey token revoke ${id}` : null,
    }));
  const isKnown = versions.length + connections.length + tokens.length > 0;
  const state = isKnown ? ("known" as const) : traces.isRedacted ? ("redacted" as const) : ("unknown" as const);
  return { state, versions, connections, tokens };
}

function versionAnswer(one: LeakedVersion, by: "value" | "handle", consumers: readonly TiedConsumer[]) {
  const life = lifeOf(one.state, one.revivedAt !== null);
  const proof = life === "dead" ? one.proof : null;
  const tied = consumers.flatMap(({ credentialId, ref, contact, ...standing }) => {
    const tie = credentialId === one.credentialId ? tieTo(one.version, standing) : undefined;
    return tie === undefined ? [] : [{ ref, contact, heldVersion: standing.heldVersion, tie }];
  });
  return {
    ...{ credential: one.credential, credentialId: one.credentialId, environment: one.environment, kind: one.kind },
    ...{ version: one.version, by, life, state: one.state, isCurrent: one.isCurrent, proof },
    since: proof?.at ?? one.endedAt ?? one.createdAt,
    deletedAt: one.deletedAt,
    rotation: one.rotation,
    consumers: life === "dead" ? [] : tied,
    command: commandOf(one, life),
    next: nextOf(one, life),
  };
}

async function readNotCompared({ ledger: { db }, fingerprints }: ApiDeps, scope: Scope) {
  const held = new Set(fingerprints.keyIds);
  return {
    ...(await readUnrecognisable(db, scope, mostNamed)),
    isKeyMissing: (await readFingerprintKeyIds(db)).some((id) => !held.has(id)),
  };
}
