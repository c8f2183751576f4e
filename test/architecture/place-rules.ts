import { breachesOf, isCode, isTest, type Rule, type SourceFile } from "./source-file.ts";

/** Something that only a few places may do, each with the reason why it may. */
interface PlaceRule {
  readonly name: string;
  /** What the doing looks like in code. Flag `g`. */
  readonly doing: RegExp;
  readonly says: string;
  /** A file, or a folder with its slash, to why it may. */
  readonly allowed: Readonly<Record<string, string>>;
}

/** A call or mention of the global, not a method of the same name. */
const fetching = /(?<![.\w$])fetch\s*\(|\bglobalThis\.fetch\b/;
const httpModules = /["'](?:node:)?(?:https?|http2)["']|["'](?:undici|axios|got|node-fetch|ky)["']/;
const statement =
  /["'`]\s*(?:SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|(?:CREATE|ALTER|DROP)\s+(?:TABLE|DATABASE|ROLE|USER|INDEX|SCHEMA|TYPE|FUNCTION|TRIGGER)\b|GRANT\s|REVOKE\s|SET\s+ROLE\s|TRUNCATE\s|COMMENT\s+ON\s)/;

const placeRules: readonly PlaceRule[] = [
  {
    name: "only settings.ts reads the environment",
    // Handing the environment on, to a process that is started or to the one reader, reads nothing of it.
    doing: /(?<!env:\s*(?:\{\s*\.\.\.)?|\breadSettings\()\bprocess\.env\b|\bfrom\s*["'](?:node:)?process["']/g,
    says: "reads the environment: name the variable in settings.ts and take its value as an argument",
    allowed: {
      "settings.ts": "the one schema of all variables",
      "scripts/": "run before packages and settings are there",
      "bin/": "starts the program before settings can be read",
      "embedded/": "finds programs by PATH and the cache folder, without packages",
      "examples/": "belongs to applications, not to rekey",
    },
  },
  {
    name: "only worker/main.ts creates a Temporal worker",
    doing: /\bWorker\s*\.\s*create\s*\(/g,
    says: "creates a worker: start worker/main.ts instead",
    allowed: { "worker/main.ts": "the one worker" },
  },
  {
    name: "only the failure boundary builds an ApplicationFailure",
    doing: /\bnew\s+ApplicationFailure\b|\bApplicationFailure\s*\.\s*\w+\s*\(/g,
    says: "builds an ApplicationFailure: throw an error of domain/errors.ts and let the boundary build it",
    allowed: { "activities/failure-boundary.ts": "strips whatever may not be in a history" },
  },
  {
    name: "only the egress client goes out by HTTP",
    doing: new RegExp(`${fetching.source}|${httpModules.source}`, "g"),
    says: "goes out by HTTP: use the context's fetch, which the one egress client stands behind",
    allowed: {
      "providers/contract/egress-client.ts": "checks address, redirects, size and time",
      "providers/contract/egress-send.ts": "the egress client's one request",
      "api/tls-server.ts": "listens, and asks nobody",
      "api/client.ts": "calls rekey's own API at the address that its user gave",
      "scripts/": "downloads what set-up needs, before packages are there",
      "embedded/": "asks servers that it started itself whether they are ready",
      "examples/": "belongs to applications, not to rekey",
      "demo/": "its order service answers the challenge like any application",
    },
  },
  {
    name: "all SQL of the ledger lies in ledger/",
    doing: new RegExp(`\\bsql(?:<[^>\`]*>)?\`|\\bsql\\s*\\.\\s*(?:raw|ref|id|lit)\\b|${statement.source}`, "g"),
    says: "holds SQL: write a function in ledger/ that is named for what it means",
    allowed: {
      "ledger/": "the one place",
      "providers/issuers/": "the issuer's own SQL, never the ledger's",
      "embedded/": "asks a server that it started whether it is ready and makes its databases",
      "demo/": "the order service's own database",
      "examples/": "belongs to applications, not to rekey",
    },
  },
  {
    name: "only listed places reveal a secret",
    doing: /\.\s*reveal\s*\(|\brevealField\s*\(/g,
    says: "reveals a secret: let custody or a provider do it, or list the place with its reason",
    allowed: {
      "providers/contract/": "reads a field of a value, checks it before custody",
      "providers/issuers/": "sets the value at the issuer and logs in with it",
      "providers/consumers/": "writes the value where the consumer reads it",
      "providers/systems/": "logs in to the system, and sends and reads values there",
      "providers/evidence/": "computes what the application answers a challenge with",
      "activities/evidence-round.ts": "hands the authenticator to a collector, wrapped again",
      "custody/": "seals values, takes fingerprints, scrubs logs",
    },
  },
  {
    name: "code does not end the process from inside",
    doing: /\bprocess\s*\.\s*exit\s*\(/g,
    says: "ends the process: throw, or set process.exitCode, so that what runs can be stopped",
    allowed: {
      "scripts/": "are programs",
      "bin/": "is a program",
      "cli/": "is a program",
      "worker/main.ts": "is a program",
      "embedded/": "has programs of its own",
      "demo/": "is a program",
      "examples/": "are programs",
    },
  },
];

const mayDo = (path: string, { allowed }: PlaceRule): boolean =>
  Object.keys(allowed).some((place) => path === place || (place.endsWith("/") && path.startsWith(place)));

function asRule(rule: PlaceRule): Rule {
  const bound = ({ path }: SourceFile) => isCode(path) && !isTest(path) && !mayDo(path, rule);
  return { name: rule.name, check: (files) => breachesOf(files.filter(bound), rule.doing, () => rule.says) };
}

export const placeRulesAsPrograms: readonly Rule[] = placeRules.map(asRule);
