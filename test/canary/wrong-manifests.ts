import { stringify } from "yaml";

const place = { team: "shop", environment: "test" };
const named = (kind: string, spec: unknown, metadata: object = { name: "wrong", ...place }) =>
  stringify({ apiVersion: "rekey/v1", kind, metadata, spec });
const connection = (config: object, more: object = {}) =>
  named("Connection", { kind: "postgres-role", config: { host: "localhost", user: "a", ...config }, ...more });

/** Manifests with a secret in a wrong place, each a mistake that people make. None may be applied, none repeated. */
export function wrongManifests(secret: string): Readonly<Record<string, string>> {
  return {
    "a field for the password": connection({ password: secret }),
    "a field that nobody knows": connection({ zzz: secret }),
    "a field named by it": connection({ [secret]: true }),
    "a URL": connection({ host: `postgres://a:${secret}@localhost/db` }),
    "a port": connection({ port: secret }),
    "secretFrom itself": connection({}, { secretFrom: secret }),
    "secretFrom by value": connection({}, { secretFrom: { value: secret } }),
    "secretFrom by fields": connection({}, { secretFrom: { password: secret } }),
    "the kind": named(secret, {}),
    "the issuer's kind": named("Connection", { kind: secret, config: {} }),
    "the version": stringify({ apiVersion: secret, kind: "Team", metadata: { name: "shop" } }),
    "the name": named("Connection", { kind: "postgres-role", config: {} }, { ...place, name: secret }),
    "the team": named("Connection", { kind: "postgres-role", config: {} }, { ...place, name: "wrong", team: secret }),
    "the environment": named("Team", {}, { name: "wrong", environment: secret }),
    "a reference": named("Credential", { issuer: "postgres-role", connection: secret, config: {} }),
    "a credential's settings": named("Credential", {
      issuer: "postgres-role",
      connection: "shop/db",
      config: { owner: "a", logins: ["a", "b"], database: "c", password: secret },
    }),
    "a policy": named("Credential", { connection: "shop/db", config: {}, policy: { grace: secret, zzz: secret } }),
    "a consumer's settings": named("Consumer", {
      credential: "shop/orders",
      kind: "file",
      config: { path: "relative", format: secret, keys: { DB_PASSWORD: secret } },
    }),
    evidence: named("Consumer", { credential: secret, kind: "file", config: {}, evidence: { [secret]: secret } }),
    "a document that is only that": stringify(secret),
    "text that is no YAML": `kind: Connection\nspec:\n  config: { password: "${secret}\n`,
    "a template that nobody filled": `kind: Connection\nspec:\n  config:\n    password: {{ ${secret} }}\n`,
    "a key twice": `kind: Connection\npassword: ${JSON.stringify(secret)}\npassword: ${JSON.stringify(secret)}\n`,
    "an alias": `kind: Connection\nspec: *${secret}\n`,
    "a tag": `kind: Connection\nspec: !${secret} a\n`,
    "bad indentation": `kind: Connection\n spec:\npassword: a: ${secret}: b\n\t- ${secret}\n`,
  };
}
