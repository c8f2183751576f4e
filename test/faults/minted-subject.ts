import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unrecordedOperations, brokenAudit } from "../harness/oracle-audit.ts";
import { notEnded, openIntents, withLedger, wrongKept, type AskLedger, type Books } from "../harness/oracle-books.ts";
import { missingOperation } from "../harness/oracle-intent.ts";
import { leakedSecrets } from "../harness/oracle-secrets.ts";
import { registerCredential, type ToRegister } from "../harness/register-credential.ts";
import { inDotenv, startSentinel, type HeldLogin, type SentinelReport } from "../harness/sentinel.ts";
import { newMark } from "../harness/world.ts";
import type { CrashSubject } from "./crash-subject.ts";
import { operationOf } from "./matrix-cases.ts";

/** One principal of an issuer that mints, with version 1 made by hand, as somebody outside of rekey sees it. */
export interface MintedPrincipal extends Pick<ToRegister, "kind" | "connection" | "config" | "principals" | "today"> {
  /** Variables of the consumer's file, each with the field of the value that it holds. */
  readonly keys: Readonly<Record<string, string>>;
  /** What the file holds before the first rotation. */
  readonly held: HeldLogin;
  /** The issuer's own names of all that it would let in, by its own list. */
  live(): Promise<readonly string[]>;
  /** By which of those names the issuer knows a handle. */
  nameOf(handle: string): string;
  /** `accepted`, or the issuer's own code. */
  logsIn(login: HeldLogin): Promise<string>;
  /** The same login with a secret that nobody ever had. */
  wrong(login: HeldLogin): HeldLogin;
  /** Its codes for a login that has ended, and for a wrong secret of one that lives. */
  readonly refusals: { readonly ended: string; readonly wrong: string };
  /** Every secret that may stand in custody and in the file only, besides those in the file. */
  readonly secrets: readonly string[];
}

export type MintingIssuer = (mark: string) => Promise<MintedPrincipal>;

const secretsOf = (principal: MintedPrincipal, { held }: SentinelReport): readonly string[] => [
  ...principal.secrets,
  // A login's name is no secret.
  ...held.flatMap((login) => Object.entries(login).flatMap(([name, text]) => (name.includes("SECRET") ? [text] : []))),
];

/** A credential of an issuer that mints, with one file and a sentinel on it. */
export function mintedSubject(issuer: MintingIssuer): CrashSubject {
  return async (world, one) => {
    const mark = newMark();
    const principal = await issuer(mark);
    const file = join(world.folder, "targets", `${mark}.env`);
    const lines = Object.entries(principal.held).map(([name, text]) => `${name}=${text}\n`);
    await writeFile(file, lines.join(""), { mode: 0o600 });
    const sentinel = await startSentinel(inDotenv(file), async (login) => principal.logsIn(login));
    const { credentialId, rotate } = await registerCredential(world, {
      ...principal,
      mark,
      order: one.order,
      consumer: {
        name: "app",
        kind: "file",
        target: `file:${file}`,
        config: { path: file, format: "dotenv", keys: principal.keys },
        evidence: { wanted: "delivered", collectors: {} },
      },
      policy: one.policy,
    });
    return {
      rotate: async () => rotate(),
      lookAtCrash: async (rotationId) =>
        withLedger(world.ledgerUrl, async (ledger) => [
          ...(await missingOperation(ledger, rotationId, operationOf(one))),
          ...(await unrecordedOperations(ledger, rotationId)),
        ]),
      lookAtEnd: async ({ temporal, rotationId, outcome }) =>
        withLedger(world.ledgerUrl, async (ledger) => {
          const books: Books = { world, temporal, credentialId, rotationId, order: one.order, outcome, ledger };
          const ended = [...(await notEnded(books)), ...(await openIntents(books))];
          const found = [
            await strangers(principal, ledger, credentialId),
            await wrongInForce(principal, sentinel.report()),
          ];
          const report = await sentinel.close();
          found.push(noticed(report), await wrongKept(books), await leakedSecrets(books, secretsOf(principal, report)));
          return [...ended, ...found.flat(), ...(await brokenAudit(books))];
        }),
      close: async () => sentinel.close(),
    };
  };
}

/** What the issuer lets in, against what the ledger calls live. */
async function strangers(
  principal: MintedPrincipal,
  ledger: AskLedger,
  credentialId: string,
): Promise<readonly string[]> {
  const rows = await ledger("SELECT handle FROM versions WHERE credential_id = $1 AND state = 'live'", [credentialId]);
  const known = rows.map(({ handle }) => principal.nameOf(String(handle))).toSorted();
  const seen = [...(await principal.live())].toSorted();
  if (seen.join() === known.join()) return [];
  return [`invariant 2: ${seen.length} versions are let in (${seen.join()}), the ledger calls live: ${known.join()}.`];
}

/** What the file holds is let in, all that it held before is not, and a wrong secret never is. */
async function wrongInForce(principal: MintedPrincipal, { held }: SentinelReport): Promise<readonly string[]> {
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

function noticed({ logins, troubles }: SentinelReport): readonly string[] {
  if (logins < 10) return [`invariant 1: the sentinel logged in only ${logins} times; it has seen nothing.`];
  return troubles.map(({ code, held }) => `invariant 1: with the login ${held + 1} in its file it met ${code}.`);
}
