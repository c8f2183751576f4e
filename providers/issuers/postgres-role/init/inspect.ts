import { OperatorNeededError } from "../../../../domain/errors.ts";
import { nearestWord } from "../../../../domain/nearest-word.ts";
import type { ProviderContext } from "../../../contract/context.ts";
import type { Init, Inspection } from "../../../contract/init.ts";
import type { Finding } from "../../../contract/issuer.ts";
import { Secret } from "../../../contract/secret.ts";
import { openAdmin, type Work } from "../admin.ts";
import { readRole, type Role } from "../catalogue.ts";
import { adminFields } from "../config.ts";
import { otherEncryption } from "../preflight.ts";
import { ident } from "../quoting.ts";
import { roleBeyondUs } from "../rights.ts";
import { accessSteps, readAccessRules, unprovableWay } from "./access-rules.ts";
import { readClaimed } from "./claimed.ts";
import { lookError } from "./look-error.ts";
import { questionSchema, type Question } from "./question.ts";
import { seenOfClients, seenOfRole, seenOfServer } from "./seen.ts";
import { readClients, sessionsEvidence } from "./sessions-seen.ts";
import { chooseSlots } from "./slots.ts";
import { adminSteps, pairSteps } from "./steps.ts";

/** Looks at a server before anything of it is registered: what one ordinary login takes to become a pair. */
export const init: Init<Question> = {
  name: "postgres",
  questionSchema,
  secretFields: adminFields,
  async inspect(question, secret, context: ProviderContext) {
    const password = secret["password"];
    if (!(password instanceof Secret))
      throw new OperatorNeededError("value_unfit", "Give the password of the login to look with.");
    const admin = openAdmin(question.connection, password, context, lookError);
    try {
      return await admin.work("looking at the server", async (work) => inspectServer(work, question));
    } finally {
      await admin.close();
    }
  },
};

async function inspectServer(work: Work, question: Question): Promise<Inspection> {
  const { connection, consumers, role: name } = question;
  const { user: _, ...address } = connection;
  const role = await readRole(work, name);
  if (role === undefined) throw await missing(work, name);
  const claimed = await readClaimed(work, role);
  const chosen = await chooseSlots(work, name);
  if (chosen === undefined)
    throw new OperatorNeededError(
      "no_free_slot",
      `All names after ${ident(name)} (_a to _h) are taken. Free two of them.`,
    );
  const names = chosen.slots.map((slot) => slot.name);
  const rules = await readAccessRules(work);
  const clients = await readClients(work);
  const admin = { name: question.admin, role: await readRole(work, question.admin) };
  return {
    identity: work.server.identity,
    ...(claimed === undefined ? {} : { claimed }),
    seen: [
      ...(await seenOfServer(work)),
      ...(await seenOfRole(work, role)),
      ...seenOfClients(clients, name),
      {
        name: "Access rules",
        text:
          rules === undefined ? "this login may not read them: compare pg_hba.conf by hand" : `${rules.length} read`,
      },
      {
        name: "The pair",
        text: `${names.join(" and ")}${chosen.taken.length === 0 ? "" : `; ${chosen.taken.join(", ")} belong to somebody else`}`,
      },
    ],
    findings: await findingsOf(work, question, role, rules),
    steps: [
      ...(await pairSteps(work, role, chosen.slots)),
      ...(await adminSteps(work, admin, connection.database, [name, ...names])),
      ...(rules === undefined ? [] : accessSteps(rules, name, names)),
    ],
    connection: { ...address, user: question.admin },
    credential: { owner: name, logins: names, database: connection.database, ...consumers },
    evidence: sessionsEvidence(clients, name, connection.database),
    username: name,
  };
}

async function findingsOf(
  work: Work,
  { admin, connection }: Question,
  role: Role,
  rules: Awaited<ReturnType<typeof readAccessRules>>,
): Promise<readonly Finding[]> {
  const name = ident(role.name);
  const is = (isSo: boolean, finding: Finding): readonly Finding[] => (isSo ? [finding] : []);
  return [
    ...is(work.server.version < 150_000, {
      code: "right_missing",
      detail: "rekey works with PostgreSQL 15 and newer.",
    }),
    ...is(role.name === admin, {
      code: "principal_is_connection",
      detail: `rekey's own login cannot be the one that it rotates. Name another with --admin.`,
    }),
    ...is(!role.canLogin, {
      code: "principal_mismatch",
      detail: `${name} may not log in: it is no login that an application has today. Name the one that it logs in with.`,
    }),
    ...roleBeyondUs(work, role),
    ...(await md5Password(work, role.name, connection.user)),
    ...(await otherEncryption(work)),
    ...(rules === undefined ? [] : unprovableWay(rules, role.name, connection.database)),
  ];
}

/** Nobody but a superuser can tell; for another login it comes out when today's value is given. */
async function md5Password(work: Work, name: string, me: string): Promise<readonly Finding[]> {
  if (!work.server.isSuperuser || name === me) return [];
  const rows = await work.ask("SELECT FROM pg_authid WHERE rolname = $1 AND rolpassword LIKE 'md5%'", [name]);
  if (rows.length === 0) return [];
  return [
    {
      code: "transport_unverified",
      detail: `The password of ${ident(name)} is kept as MD5, which rekey does not answer. Set the same password once more as SCRAM: the application keeps what it has, and needs a driver that knows SCRAM.`,
      mend: `SET password_encryption = 'scram-sha-256';\n\\password ${ident(name)}`,
    },
  ];
}

const mostNamed = 20;

async function missing(work: Work, name: string): Promise<OperatorNeededError> {
  const rows = await work.ask<{ name: string }>(
    "SELECT rolname::text AS name FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY 1 LIMIT 1000",
  );
  const names = rows.map((row) => row.name);
  const meant = nearestWord(name, names);
  const more = names.length > mostNamed ? " and more" : "";
  const there = `${names.slice(0, mostNamed).map(ident).join(", ")}${more}`;
  return new OperatorNeededError(
    "principal_missing",
    `The role ${ident(name)} does not exist. ${meant === undefined ? "" : `Did you mean ${ident(meant)}? `}${names.length === 0 ? "The server has no ordinary login." : `The server's logins: ${there}.`} Name the application's own with --role.`,
  );
}
