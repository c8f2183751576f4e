import { unrecordedOperations, brokenAudit } from "../harness/oracle-audit.ts";
import { notEnded, openIntents, withLedger, type Books } from "../harness/oracle-books.ts";
import { lostValue, notKept, wrongKept, wrongValue } from "../harness/oracle-custody.ts";
import { missingOperation } from "../harness/oracle-intent.ts";
import { leakedSecrets } from "../harness/oracle-secrets.ts";
import { inDotenv, startSentinel, type HeldLogin, type SentinelReport } from "../harness/sentinel.ts";
import { newMark } from "../harness/world.ts";
import { placeOf } from "./crash-custodies.ts";
import type { CrashSubject } from "./crash-subject.ts";
import { operationOf } from "./matrix-cases.ts";
import {
  registerPrincipal,
  strangers,
  writeHeld,
  type MintedPrincipal,
  type MintingIssuer,
} from "./minted-principal.ts";

/** A login's name is no secret. */
const secretsIn = (login: HeldLogin): readonly string[] =>
  Object.entries(login).flatMap(([name, text]) => (name.includes("SECRET") ? [text] : []));

const secretsOf = (principal: MintedPrincipal, { held }: SentinelReport): readonly string[] => [
  ...principal.secrets,
  ...held.flatMap(secretsIn),
];

/** A credential of an issuer that mints, with one file and a sentinel on it. */
export function mintedSubject(issuer: MintingIssuer): CrashSubject {
  return async (world, one) => {
    const mark = newMark();
    const principal = await issuer(mark);
    const file = await writeHeld(world, mark, principal.held);
    const sentinel = await startSentinel(inDotenv(file), async (login) => principal.logsIn(login));
    const { order, policy } = one;
    const how = { mark, file, order, policy, custody: placeOf(one) };
    const registered = await registerPrincipal(world, principal, how);
    const { credentialId, rotate } = registered;
    const besides = await principal.besides?.(world, registered);
    return {
      named: { issuer: mark, custody: credentialId },
      rotate: async () => rotate(),
      lookAtCrash: async (rotationId, died) =>
        withLedger(world.ledgerUrl, async (ledger) => [
          ...(await missingOperation(ledger, rotationId, operationOf(died))),
          ...(await unrecordedOperations(ledger, rotationId)),
          ...(await lostValue(ledger, world.elsewhere, credentialId)),
          ...(died.failpoint === "keep:B2" ? await notKept(ledger, world.elsewhere, credentialId, 2) : []),
        ]),
      lookAtEnd: async ({ temporal, rotationId, outcome }) =>
        withLedger(world.ledgerUrl, async (ledger) => {
          const books: Books = { world, temporal, credentialId, rotationId, order: one.order, outcome, ledger };
          const ended = [...(await notEnded(books)), ...(await openIntents(books))];
          const found = [
            await strangers(principal, ledger, credentialId),
            await wrongInForce(principal, sentinel.report()),
            besides === undefined ? [] : otherThan(sentinel.report(), await besides.read()),
          ];
          const report = await sentinel.close();
          const inFile = secretsIn(report.held.at(-1) ?? {});
          found.push(noticed(report), await wrongKept(books), await wrongValue(books, inFile));
          const own = world.elsewhere.flatMap(({ secrets }) => secrets);
          found.push(await leakedSecrets(books, [...own, ...secretsOf(principal, report)]));
          return [...ended, ...found.flat(), ...(await brokenAudit(books))];
        }),
      async close() {
        besides?.close();
        await sentinel.close();
      },
    };
  };
}

/** What the file holds is let in, all that it held before is not, and a wrong secret never is. */
export async function wrongInForce(principal: MintedPrincipal, { held }: SentinelReport): Promise<readonly string[]> {
  const last = held.at(-1);
  if (last === undefined) return ["invariant 3: the consumer's file holds no login."];
  const breaches = [];
  const answer = await principal.logsIn(last);
  if (answer !== "accepted") breaches.push(`invariant 3: what the consumer's file holds is refused (${answer}).`);
  const control = await principal.logsIn(principal.wrong(last));
  if (control !== principal.refusals.wrong) breaches.push(`invariant 3: a wrong secret is answered with ${control}.`);
  for (const former of held) {
    if (JSON.stringify(former) === JSON.stringify(last)) continue;
    const code = await principal.logsIn(former);
    if (code !== principal.refusals.ended) breaches.push(`invariant 5: an ended version is answered with ${code}.`);
  }
  return breaches;
}

function otherThan({ held }: SentinelReport, besides: HeldLogin): readonly string[] {
  const isSame = Object.entries(held.at(-1) ?? {}).every(([name, text]) => besides[name] === text);
  return isSame ? [] : ["invariant 3: the consumer in the other system holds another login than the file."];
}

export function noticed({ logins, troubles }: SentinelReport): readonly string[] {
  if (logins < 10) return [`invariant 1: the sentinel logged in only ${logins} times; it has seen nothing.`];
  return troubles.map(({ code, held }) => `invariant 1: with the login ${held + 1} in its file it met ${code}.`);
}
