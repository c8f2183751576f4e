import type { Finding } from "../../../contract/issuer.ts";
import type { InitStep } from "../../../contract/init.ts";
import type { Row, Work } from "../admin.ts";

interface Rule extends Row {
  readonly line: number;
  readonly type: string;
  readonly databases: readonly string[];
  readonly users: readonly string[];
  readonly address: string | null;
  readonly netmask: string | null;
  readonly method: string;
  readonly options: readonly string[] | null;
  /** It fits the address that we came from, as far as it names addresses. */
  readonly isOurWay: boolean;
}

/** The server's access rules, where the login may read them: a superuser, or whom one gave the right. */
export async function readAccessRules(work: Work): Promise<readonly Rule[] | undefined> {
  const [may] = await work.ask<{ may: boolean }>(
    `SELECT has_table_privilege('pg_catalog.pg_hba_file_rules', 'SELECT')
       AND has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE') AS may`,
  );
  if (may?.may !== true) return undefined;
  return work.ask<Rule>(
    `SELECT line_number AS line, type, database AS databases, user_name AS users, address, netmask,
       auth_method AS method, options,
       CASE WHEN inet_client_addr() IS NULL OR type = 'local' THEN inet_client_addr() IS NULL AND type = 'local'
         WHEN address = 'all' THEN true
         WHEN netmask IS NULL OR family(netmask::inet) <> family(inet_client_addr()) THEN false
         ELSE (address::inet & netmask::inet) = (inet_client_addr() & netmask::inet) END AS "isOurWay"
     FROM pg_hba_file_rules WHERE error IS NULL AND type IS NOT NULL ORDER BY line_number`,
  );
}

/** A line for each rule that names the login and not both of the pair: they have to be let in by the same ways. */
export function accessSteps(rules: readonly Rule[], role: string, slots: readonly string[]): readonly InitStep[] {
  const missing = rules
    .filter(({ users }) => users.includes(role) && !users.includes("all"))
    .map((rule) => ({ rule, without: slots.filter((slot) => !isLetIn(rules, rule, slot)) }))
    .filter(({ without }) => without.length > 0);
  if (missing.length === 0) return [];
  const lines = missing.map(({ rule, without }) => lineOf(rule, without));
  return [
    {
      title: "Let the pair in where the login is let in",
      why: `${missing.length === 1 ? "A rule names" : "Rules name"} the login alone (line ${missing.map(({ rule }) => rule.line).join(", ")}): its successors would be turned away. A reload disturbs no session.`,
      where: "pg_hba.conf, each line right below the one that it is made after; then in psql: SELECT pg_reload_conf();",
      run: lines.map((line, at) => `# after line ${missing[at]?.rule.line}\n${line}`).join("\n"),
      undo: "# remove these lines again, then: SELECT pg_reload_conf();",
    },
  ];
}

/** Where the very way that we came by asks the login for no password, or not by SCRAM: nothing can be proven there. */
export function unprovableWay(rules: readonly Rule[], role: string, database: string): readonly Finding[] {
  const first = rules.find(
    ({ isOurWay, users, databases }) =>
      isOurWay && names(users, role) && names(databases, database) && !databases.includes("replication"),
  );
  if (first === undefined || ["scram-sha-256", "md5"].includes(first.method)) return [];
  return [
    {
      code: "transport_unverified",
      detail: `Line ${first.line} of pg_hba.conf is the first that fits ${role} on the way from here, and says ${first.method}: no password can be proven alive or dead by it. Put a line with scram-sha-256 for that way above it.`,
    },
  ];
}

const names = (all: readonly string[], one: string): boolean => all.includes(one) || all.includes("all");

/** By the rule itself, or by one that differs from it in the users alone. */
function isLetIn(rules: readonly Rule[], rule: Rule, slot: string): boolean {
  const same = (other: Rule) => lineOf(other, []) === lineOf(rule, []);
  return rules.some((other) => other.users.includes(slot) && same(other));
}

function lineOf({ type, databases, address, netmask, method, options }: Rule, users: readonly string[]): string {
  const where = type === "local" ? [] : [address ?? "all", ...(netmask === null ? [] : [netmask])];
  return [type, databases.map(quoted).join(","), users.map(named).join(","), ...where, method, ...(options ?? [])].join(
    "  ",
  );
}

/** A database stands in the view without its quotes; a keyword looks like a name, and is one far more seldom. */
const quoted = (name: string): string => (/^[\w$+/.@-]+$/.test(name) ? name : `"${name}"`);
const named = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) && name !== "all" ? name : `"${name}"`);
