/** Manifests over `fakeCatalog` that fit each other. Each test changes what it is about. */
export const team = `apiVersion: rekey/v1
kind: Team
metadata: { name: shop }
spec: { contact: "#shop" }
`;

export const environment = `apiVersion: rekey/v1
kind: Environment
metadata: { name: prod }
`;

export const connection = `apiVersion: rekey/v1
kind: Connection
metadata: { name: main, team: shop, environment: prod }
spec:
  kind: fake-db
  config: { host: db.internal, user: rekey_admin }
  secretFrom: given
`;

export const credential = `apiVersion: rekey/v1
kind: Credential
metadata: { name: orders, team: shop, environment: prod }
spec:
  connection: main
  config: { logins: [orders_a, orders_b] }
  policy: { grace: 2s, observeFor: 500ms, evidence: observed }
`;

export const consumer = `apiVersion: rekey/v1
kind: Consumer
metadata: { name: web, team: shop }
spec:
  credential: orders
  kind: fake-place
  config: { path: /srv/web.env, keys: { DB_PASSWORD: password } }
  evidence: { watch: { instances: 2 } }
`;

export const everything = [team, environment, connection, credential, consumer].join("---\n");
/** The connection's place among the documents of `everything`. */
export const connectionIndex = 2;
