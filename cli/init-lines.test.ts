import { expect, it } from "vitest";
import { nextLines, underRekeyLines } from "./init-lines.ts";
import { manifestText } from "./init.ts";

const connection = (user = "rekey_admin") => ({
  apiVersion: "rekey/v1",
  kind: "Connection",
  metadata: {},
  spec: { config: { user }, secretFrom: { file: "orders-server.password" } },
});
const consumer = (evidence?: object) => ({
  apiVersion: "rekey/v1",
  kind: "Consumer",
  metadata: {},
  spec: evidence === undefined ? {} : { evidence },
});
const sessions = { sessions: { networks: ["10.1.0.7"], instances: 1 } };
const password = { title: "", why: "", where: "psql", run: '\\password "rekey_admin"', undo: "" };

type Found = Parameters<typeof nextLines>[0];
const found = (more: Partial<Found> = {}): Found => ({
  seen: [],
  steps: [password],
  credential: "main/orders",
  username: "orders_app",
  manifests: [connection(), consumer(sessions)],
  ...more,
});
const told = (of: Found, next: object = {}) =>
  nextLines(of, "orders", "orders/main-orders.yaml", { file: "/srv/app.env", isFileThere: true, ...next })
    .join("\n")
    .replaceAll(/\s+/g, " ");

it("names the login whose password is wanted, and whether a step above gave it one", () => {
  expect(told(found())).toContain("Put the password of rekey_admin (you give it one in a step above) into orders/");
  expect(told(found({ steps: [] }))).toContain("Put the password of rekey_admin (you gave it one before) into orders/");
  expect(told(found())).not.toContain("cat >");
});

it("asks for no password where the connection is registered already", () => {
  const text = told(found({ connection: "main/shop-server", manifests: [consumer(sessions)] }));
  expect(text).toContain("The connection main/shop-server is registered already");
  expect(text).not.toContain("umask");
});

it("says when no evidence could be written, and when the file is not there", () => {
  expect(told(found())).not.toMatch(/No evidence|does not exist/);
  expect(told(found({ manifests: [connection(), consumer()] }))).toContain(
    "No evidence could be written: orders_app has no session in this database now. Run this while the application is connected, or add spec.evidence",
  );
  expect(told(found(), { isFileThere: false })).toContain("/srv/app.env does not exist on this machine");
});

it("says of what is under rekey already that nothing is to do", () => {
  expect(underRekeyLines(found())[0]).toBe("orders_app is under rekey already as main/orders; nothing is to do.");
});

it("writes beside a number of instances what it means", () => {
  expect(manifestText([consumer(sessions)])).toContain(
    "      instances: 1 # how many addresses must be seen; raise it to your number of hosts\n",
  );
});
