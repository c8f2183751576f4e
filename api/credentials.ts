import { versionRef } from "../custody/refs.ts";
import { parseSelector } from "../domain/labels.ts";
import type { Scope } from "../domain/scope.ts";
import { RekeyError } from "../domain/errors.ts";
import { adoptCredential } from "../ledger/adoption.ts";
import { listCredentials, readCredential } from "../ledger/credential-views.ts";
import { readLastCheck } from "../ledger/checks.ts";
import { adoptCommand, adoptHint } from "../manifests/adopt-command.ts";
import { showPolicy } from "../manifests/policy.ts";
import { Secret } from "../providers/contract/secret.ts";
import { assertFit, type Value } from "../providers/contract/value.ts";
import { titled } from "./checks.ts";
import { evidenceOf } from "./consumer-evidence.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";

export const credentialHandlers: Handlers<"listCredentials" | "showCredential" | "adoptCredential"> = {
  async listCredentials({ query: { labels, ...query }, scope }, { ledger }) {
    const selector = labels === undefined ? [] : parseSelector(labels);
    if (selector === undefined) throw new ProblemError("request_invalid", selectorText);
    return asJson({ credentials: await listCredentials(ledger.db, { ...query, scope, selector }) });
  },

  async showCredential({ params, scope }, { ledger, catalog }) {
    const found = await readExisting(ledger, scope, params.credential);
    const consumerList = found.consumerList.map((consumer) => ({
      ...consumer,
      ref: `${consumer.team}/${consumer.name}`,
      ...evidenceOf(catalog, consumer, found.policy),
    }));
    const adoption = await adoptionOf(ledger, catalog, found);
    return asJson({ ...found, policy: showPolicy(found.policy), consumerList, adoption });
  },

  async adoptCredential({ params, body, actor, scope }, deps) {
    const { ledger, custody } = deps;
    const found = await readExisting(ledger, scope, params.credential);
    const definition = issuerOf(deps, found.kind);
    if (body.secret === undefined) {
      const unknown = loginOf(definition, found, body.fields);
      return { checkId: await adoptCredential(ledger, { credentialId: found.id, actor, put: { unknown } }) };
    }
    const value = valueOf(definition, found, { ...body, secret: body.secret });
    const checkId = await adoptCredential(ledger, {
      credentialId: found.id,
      actor,
      async put(place) {
        const ref = versionRef(place);
        // A value that an earlier attempt left here was never found to be in force.
        await custody.forget(ref);
        const settings = definition.connectionSchema.parse(place.settings);
        await custody.putIfAbsent(
          ref,
          definition.complete(settings, definition.configSchema.parse(found.config), value),
        );
      },
    });
    return { checkId };
  },
};

const selectorText = "The labels cannot be read. Write them as kubectl takes them: tier=gold,region!=eu,audited,!old.";

export async function readExisting(ledger: ApiDeps["ledger"], scope: Scope, reference: string) {
  const found = await readCredential(ledger.db, scope, await findCredentialId(ledger, scope, reference));
  if (found === undefined)
    throw new ProblemError("not_found", "There is no such credential. List them: rekey credential list");
  return found;
}

async function adoptionOf({ db }: ApiDeps["ledger"], { issuers }: ApiDeps["catalog"], found: Detail) {
  const definition = issuers[found.kind];
  if (found.currentVersion !== null || found.isShared || definition === undefined) return null;
  const command = adoptHint(definition, refOf(found), found.principals);
  const check = await readLastCheck(db, "adopt", found.id);
  if (check === undefined || check.state === "done") return { command, last: null };
  const { state, at, findings } = check;
  return { command, last: { state, at, findings: titled(findings) } };
}

export const refOf = ({ team, name }: Pick<Detail, "team" | "name">) => `${team}/${name}`;

interface Given {
  readonly secret: string;
  readonly fields: Readonly<Record<string, string>>;
}

type Detail = Awaited<ReturnType<typeof readExisting>>;

type Issuer = ApiDeps["catalog"]["issuers"][string];

function issuerOf({ catalog }: ApiDeps, kind: string): Issuer {
  const definition = catalog.issuers[kind];
  if (definition !== undefined) return definition;
  throw new ProblemError("request_invalid", "This program does not know the credential's kind. Run the newer release.");
}

/** The value of today as far as a person knows it. Refused here already when the login is none of the credential's. */
function valueOf(definition: Issuer, found: Detail, { secret, fields }: Given): Value {
  const given: Readonly<Record<string, string>> = { ...fields, [definition.authenticator]: secret };
  const { adoptedFields } = definition;
  const isExact =
    adoptedFields.every((name) => name in given) && Object.keys(given).every((name) => adoptedFields.includes(name));
  if (!isExact) {
    const others = adoptedFields.filter((name) => name !== definition.authenticator);
    throw new ProblemError(
      "request_invalid",
      `Give, besides the secret, exactly ${others.join(", ")}: ${adoptHint(definition, refOf(found), found.principals)}.`,
    );
  }
  const value = Object.fromEntries(
    Object.entries(given).map(([name, text]) => [
      name,
      definition.fields[name]?.secret === true ? new Secret(text) : text,
    ]),
  );
  const names = Object.keys(value);
  assertFit(value, Object.fromEntries(Object.entries(definition.fields).filter(([name]) => names.includes(name))));
  refuseForeign(definition, found, value);
  return value;
}

/** The login of a value that nobody knows, which it must then be known by. */
function loginOf(definition: Issuer, found: Detail, fields: Given["fields"]): string {
  const { username, ...others } = fields;
  if (!definition.adoptedFields.includes("username"))
    throw new ProblemError(
      "request_invalid",
      `A value of this kind is known by more than a login, so that it cannot be adopted without being given: ${adoptHint(definition, refOf(found), found.principals)}.`,
    );
  if (username === undefined || Object.keys(others).length > 0)
    throw new ProblemError(
      "request_invalid",
      `Of a value that nobody knows name the login, and nothing else: rekey credential adopt ${refOf(found)} --unknown --username LOGIN`,
    );
  if (found.order === "single-slot")
    throw new ProblemError(
      "request_invalid",
      "A new value takes the place of the one login's at once, and everybody is out until they have it: an undo needs the former one. Give it.",
    );
  refuseForeign(definition, found, { username });
  return username;
}

function refuseForeign(definition: Issuer, found: Detail, value: Value): void {
  try {
    definition.handleOf(found.config, value, 1);
  } catch (error) {
    const detail = error instanceof RekeyError ? error.detail : "The value is not the credential's.";
    const logins = found.principals.length === 0 ? "" : ` Its logins: ${found.principals.join(", ")}.`;
    throw new ProblemError(
      "request_invalid",
      `${detail}${logins} Name the one in use: ${adoptCommand(definition, refOf(found), found.principals)}`,
    );
  }
}
