import { describe, expect, it } from "vitest";
import { connectionBinding, connectionSecretRef, versionRef, type ConnectionSecretRow } from "./refs.ts";

const row: ConnectionSecretRow = {
  id: "cns_1",
  name: "orders",
  kind: "postgres-role",
  settings: { host: "db.internal", port: 5432 },
  pool: "default",
  secret_row: "cst_1",
  secret_revision: 3,
};

describe("the place of a connection's secret", () => {
  it("is tied to the settings as they are, so an edited address cannot open it", () => {
    const before = connectionSecretRef(row, "ins_1");
    const after = connectionSecretRef({ ...row, settings: { host: "evil.example", port: 5432 } }, "ins_1");
    expect(after.binding).not.toBe(before.binding);
    expect(before).toMatchObject({ credential: "cns_1", version: 3, row: "cst_1", purpose: "connection" });
  });

  it("does not depend on the order in which settings were written", () => {
    expect(connectionBinding("k", { a: 1, b: 2 })).toBe(connectionBinding("k", { b: 2, a: 1 }));
    expect(connectionBinding("k", { a: 1 })).not.toBe(connectionBinding("l", { a: 1 }));
  });

  it("says to give the secret while there is none", () => {
    expect(() => connectionSecretRef({ ...row, secret_row: null }, "ins_1")).toThrow("secretFrom");
  });
});

describe("the place of a version's value", () => {
  it("names credential, number and row, and carries no binding", () => {
    const place = { instance: "ins_1", credentialId: "crd_1", number: 2, versionId: "ver_1", pool: "default" };
    expect(versionRef(place)).toEqual({
      instance: "ins_1",
      credential: "crd_1",
      version: 2,
      row: "ver_1",
      purpose: "version",
      pool: "default",
    });
  });
});
