import { clockDifference, isMuch, roughly, type Look, type LookState } from "../domain/look.ts";
import { readClock, type ConsumerPlace, type CredentialPlace } from "../ledger/doctor-places.ts";
import type { ConnectionCase } from "../ledger/rotation-cases.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import { connectionKindsOf } from "../providers/catalog.ts";
import type { ConnectionLook } from "../providers/contract/connection.ts";
import type { Finding } from "../providers/contract/issuer.ts";
import { onBudget } from "./on-budget.ts";
import { withConsumer } from "./reach-consumer.ts";
import { consumerKindOf, secretOf, withIssuer } from "./reach.ts";
import type { CheckScene } from "./run-check.ts";

/** These stop no rotation. */
const mild = new Set<string>(["right_unneeded", "transport_unverified"]);

const asLook = (about: string, { code, detail, mend }: Finding): Look => ({
  about,
  state: mild.has(code) ? "warn" : "bad",
  text: detail,
  ...(mend === undefined ? {} : { mend }),
});

/** Reach, login, identity, rights, the way there and the clock. */
export async function lookAtConnection(
  { deps }: CheckScene,
  instance: string,
  connection: ConnectionCase,
  context: ProviderContext,
): Promise<readonly Look[]> {
  const about = `Connection ${connection.name}`;
  const say = (state: LookState, text: string, mend?: string): Look => ({ about, state, text, mend });
  if (connection.secret_row === null)
    return [say("bad", "It has no secret; add secretFrom to its manifest and apply that.", "rekey apply -f FILE")];
  const kind = connectionKindsOf(deps.catalog)[connection.kind];
  if (kind?.look === undefined) return [say("ok", "Its kind shows nothing by itself; its credentials are asked.")];
  const settings = kind.connectionSchema.parse(connection.settings);
  const admin = await secretOf(deps, connection, { instance });
  const before = await readClock(deps.ledger.db);
  const ask = kind.look.bind(kind);
  const seen = await deps.scrubber.withHeld([admin], async () =>
    ask({ connection: settings, admin }, onBudget(deps, context, connection, false)),
  );
  const after = await readClock(deps.ledger.db);
  const found = seen.findings.map((finding) => asLook(about, finding));
  const isOther = connection.identity !== undefined && connection.identity !== seen.identity;
  return [
    ...(isOther
      ? [
          say(
            "bad",
            "Its address leads to another server than before; its rotations hold. Point it at the right one, or apply it again.",
            "rekey apply -f FILE",
          ),
        ]
      : []),
    ...clockLooks(about, seen, before, after),
    ...found,
    ...(found.length === 0 && !isOther
      ? [say("ok", `${seen.about}; its login may do what rotations need, and no more.`)]
      : []),
  ];
}

function clockLooks(about: string, { at }: ConnectionLook, before: number, after: number): readonly Look[] {
  const difference = clockDifference(Date.parse(at), before, after);
  if (!isMuch(difference)) return [];
  const text = `Its clock is ${roughly(Math.abs(difference))} ${difference < 0 ? "behind" : "ahead of"} the ledger's. Nothing is decided by that, but times in logs do not fit; let both follow one time server.`;
  return [{ about, state: "warn", text, mend: "timedatectl status" }];
}

/** All that would stop its next rotation at the issuer. */
export async function lookAtCredential(
  { deps }: CheckScene,
  instance: string,
  { id, name, config, connection, live }: CredentialPlace,
  context: ProviderContext,
): Promise<readonly Look[]> {
  const about = `Credential ${name}`;
  const place = { instance, credentialId: id, config, connection };
  const found = await withIssuer(deps, place, context, async (session) =>
    session.preflight({ live, instance, credential: id }),
  );
  if (found.length > 0) return found.map((finding) => asLook(about, finding));
  return [{ about, state: "ok", text: "Its issuer would let it rotate." }];
}

/** All that would stop a delivery there. */
export async function lookAtConsumer(
  { deps }: CheckScene,
  instance: string,
  consumer: ConsumerPlace,
  context: ProviderContext,
): Promise<readonly Look[]> {
  const about = `Consumer ${consumer.team}/${consumer.name}`;
  const mayBeEmpty = consumer.heldVersion !== null || consumerKindOf(deps, consumer.kind).isNotice === true;
  const { found, isUnused } = await withConsumer({ deps, context, one: { instance } }, consumer, async (session) => {
    const findings = await session.preflight();
    const isLooked = findings.length === 0 && !mayBeEmpty;
    return { found: findings, isUnused: isLooked && (await session.observe()).isEmpty };
  });
  if (found.length > 0) return found.map((finding) => asLook(about, finding));
  if (isUnused) return [{ about, state: "warn", text: neverWritten(consumer.target) }];
  return [{ about, state: "ok", text: `${consumer.target} can be written.` }];
}

/** Of a target that is empty and that no rotation has written yet. */
export const neverWritten = (target: string): string =>
  `${target} does not exist yet, or holds none of its keys. If an application runs on it, its place in the manifest is wrong; the first rotation asks before it makes it new.`;
