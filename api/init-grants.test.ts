import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { catalog } from "../providers/catalog.ts";
import { withApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";

it("grants for a Secret are printed with the least rights, and a mistake is named by its place", async () => {
  const api = await withApi(await withLedger(), catalog);
  const config = {
    namespace: "shop",
    secret: "orders",
    keys: { DB_USER: "username" },
    workloads: ["Deployment/orders"],
  };
  const { status, json } = await api.ask("POST", "/init/kubernetes/grants", { config });
  expect({ status, ...json }).toMatchObject({
    status: 200,
    kind: "kubernetes-secret",
    connectionKind: "kubernetes",
    config,
  });
  const [account, role, binding] = parseAllDocuments(String(json["grants"])).map((one) => one.toJS() as never);
  const metadata = { name: "rekey-orders", namespace: "shop" };
  expect(account).toMatchObject({ kind: "ServiceAccount", metadata });
  expect(role).toMatchObject({
    kind: "Role",
    metadata,
    rules: [{ resources: ["secrets"], verbs: ["get", "patch"] }, {}, {}, {}, {}],
  });
  expect(binding).toMatchObject({ kind: "RoleBinding", roleRef: { name: "rekey-orders" } });
  const refused = await api.ask("POST", "/init/kubernetes/grants", { config: { ...config, namespace: "A B" } });
  expect(refused.status).toBe(400);
  expect(refused.text).toContain("config.namespace: must be the name of a namespace.");
  expect((await api.ask("POST", "/init/nomad/grants", { config })).text).toContain(
    "There are grants for kubernetes only.",
  );
});
