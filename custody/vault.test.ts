import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { RekeyError } from "../domain/errors.ts";
import { Secret } from "../providers/contract/secret.ts";
import { policyOnPage } from "../test/conformance/vault/page-policies.ts";
import { roleAsOnPage } from "../test/conformance/vault/page-role.ts";
import { proxyHttp, type HttpCall } from "../test/harness/proxy/http.ts";
import { contextFor } from "../test/harness/vault-kv.ts";
import { withVault } from "../test/harness/with-vault.ts";
import type { Custody, CustodyRef } from "./custody.ts";
import { custodyClauses } from "./suite.ts";
import { vaultKind } from "./vault.ts";

const vault = withVault();
let serial = 0;
const freshRef = (): CustodyRef => ({
  instance: "ins_test",
  credential: `crd_${(serial += 1)}`,
  version: 1,
  row: `ver_${serial}`,
  purpose: "version",
  pool: "default",
});
const value = () => ({ username: "app", password: new Secret(randomBytes(12).toString("hex")) });
const isWrite = ({ method, path }: HttpCall) => method === "POST" && path.includes("/data/");

/** An engine of its own, a login with the rights that the page prints, and two processes; the first by a proxy. */
async function place() {
  const mount = await vault().mountKv();
  const folder = await mkdtemp(join(tmpdir(), "rk-vault-custody-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const secretFile = join(folder, "token");
  const give = async (token: string) => {
    await writeFile(secretFile, token, { mode: 0o600 });
    await chmod(secretFile, 0o600);
  };
  const token = await vault().tokenWith(policyOnPage("custody", { "secret/": `${mount}/` }));
  await give(token);
  const proxy = await proxyHttp(vault().address, vault());
  onTestFinished(() => proxy.close());
  const open = (address: string, approle?: { readonly mount: string; readonly roleId: string }): Custody => {
    const settings = vaultKind.settingsSchema.parse({ address, ca: vault().ca, secretFile, mount, approle });
    const { fetch, log } = contextFor(address);
    return vaultKind.open({ place: "main-vault", settings, fetch, log });
  };
  return { mount, proxy, give, token, open, custody: open(proxy.url), other: open(vault().address) };
}

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it must fail with an error of ours", { cause: error });
}

describe("custody in a real Vault", () => {
  for (const clause of custodyClauses)
    it(clause.name, async () => {
      const { custody, other, proxy } = await place();
      await clause.check({
        custody,
        other,
        freshRef,
        losesNextAnswer: () => void proxy.meet(isWrite, { do: "lose-answer" }),
        losesNextWrite: () => void proxy.meet(isWrite, { do: "answer", status: 502 }),
      });
    });

  it("a put that lands after the value was forgotten revives nothing", async () => {
    const { custody, other, proxy } = await place();
    const ref = freshRef();
    const { promise: until, resolve: release } = Promise.withResolvers<void>();
    const onItsWay = proxy.meet(isWrite, { do: "delay", until });
    const late = custody.putIfAbsent(ref, value()).catch((error: unknown) => error);
    await onItsWay;
    await other.putIfAbsent(ref, value());
    await other.forget(ref);
    const before = proxy.calls.length;
    release();
    await late;
    // It looked, saw what was destroyed, and may have put its own value there in full view: never by the call that was late.
    expect(
      proxy.calls
        .slice(0, before)
        .filter(isWrite)
        .map(({ status }) => status),
    ).toEqual([400]);
  });

  it("what was forgotten is destroyed, not only hidden", async () => {
    const { mount, custody } = await place();
    const ref = freshRef();
    const { password } = value();
    await custody.putIfAbsent(ref, { username: "app", password });
    await custody.forget(ref);
    const path = `rekey/ins_test/${ref.credential}/1/version`;
    expect((await vault().call("POST", `${mount}/undelete/${path}`, { versions: [1] })).status).toBeLessThan(300);
    expect((await vault().call("GET", `${mount}/data/${path}?version=1`)).status).toBe(404);
  });

  it("a Vault that is sealed loses nothing, and is used again when it is unsealed", async () => {
    const { custody } = await place();
    const ref = freshRef();
    const kept = value();
    await custody.putIfAbsent(ref, kept);
    await vault().seal();
    try {
      for (const work of [
        () => custody.get(ref),
        () => custody.putIfAbsent(freshRef(), value()),
        () => custody.forget(ref),
      ])
        expect(await failing(work())).toMatchObject({ name: "TransientError", code: "system_sealed" });
    } finally {
      await vault().unseal();
    }
    expect(await custody.get(ref)).toBeDefined();
  });

  it("a token that has ended is replaced by the one that the file holds by then, and is said so where it holds no other", async () => {
    const { mount, custody, give, token } = await place();
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    const next = await vault().tokenWith(policyOnPage("custody", { "secret/": `${mount}/` }));
    await give(next);
    await vault().must("POST", "auth/token/revoke", { token });
    expect(await custody.get(ref)).toBeDefined();
    await vault().must("POST", "auth/token/revoke", { token: next });
    expect(await failing(custody.get(ref))).toMatchObject({ name: "OperatorNeededError", code: "custody_auth_failed" });
  });

  it("an engine that is not where it was is an error, never a value that is not there", async () => {
    const { mount, custody } = await place();
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    await vault().must("DELETE", `sys/mounts/${mount}`);
    for (const work of [
      () => custody.get(ref),
      () => custody.forget(ref),
      () => custody.putIfAbsent(freshRef(), value()),
    ]) {
      const error = await failing(work());
      expect([error.name, error.code]).toEqual(["OperatorNeededError", "custody_unreachable"]);
      expect(error.detail).toContain("vault secrets list");
    }
  });

  it("an engine whose versions delete themselves takes no value, is named with what mends it, and then takes it", async () => {
    const { mount, custody } = await place();
    const ref = freshRef();
    const given = value();
    await vault().must("POST", `${mount}/config`, { delete_version_after: "30m" });
    const error = await failing(custody.putIfAbsent(ref, given));
    expect([error.name, error.code]).toEqual(["OperatorNeededError", "custody_unreachable"]);
    expect(error.detail).toContain(`vault write ${mount}/config delete_version_after=0s`);
    expect(await custody.get(ref)).toBeUndefined();
    await vault().must("POST", `${mount}/config`, { delete_version_after: "0s" });
    expect(await custody.putIfAbsent(ref, given)).toEqual(given);
    const path = `rekey/ins_test/${ref.credential}/1/version`;
    const { body } = await vault().call("GET", `${mount}/data/${path}`);
    expect(body).toMatchObject({ data: { metadata: { deletion_time: "" } } });
  });

  it("what an attempt that died has put into such an engine is kept, and stays by the command that is named", async () => {
    const { mount, custody, other, proxy } = await place();
    const ref = freshRef();
    const given = value();
    await vault().must("POST", `${mount}/config`, { delete_version_after: "30m" });
    void proxy.meet(isWrite, { do: "lose-answer" });
    await failing(custody.putIfAbsent(ref, given));
    const path = `rekey/ins_test/${ref.credential}/1/version`;
    const error = await failing(other.putIfAbsent(ref, value()));
    expect(error.detail).toContain(`vault kv undelete -mount=${mount} -versions=1 ${path}`);
    expect(await other.get(ref)).toEqual(given);
    await vault().must("POST", `${mount}/config`, { delete_version_after: "0s" });
    await vault().must("POST", `${mount}/undelete/${path}`, { versions: [1] });
    expect(await other.putIfAbsent(ref, value())).toEqual(given);
  });

  it("logs in by the role that the page makes, and leaves no token behind", async () => {
    const { mount, give, open } = await place();
    const { approle, secretId, tokens } = await roleAsOnPage(
      vault(),
      policyOnPage("custody", { "secret/": `${mount}/` }),
    );
    await give(secretId);
    const before = await tokens();
    const [ref, given] = [freshRef(), value()];
    for (const custody of [open(vault().address, approle), open(vault().address, approle)])
      expect(await custody.putIfAbsent(ref, given)).toEqual(given);
    await open(vault().address, approle).forget(ref);
    expect(await tokens()).toBe(before);
  });

  it("a right that is missing is named, with what to add", async () => {
    const { mount, custody, give } = await place();
    await give(await vault().tokenWith('path "cubbyhole/none" {\n  capabilities = ["deny"]\n}'));
    const error = await failing(custody.get(freshRef()));
    expect(error.code).toBe("right_missing");
    expect(error.detail).toContain(`path "${mount}/data/rekey/ins_test/`);
  });
});
