import { afterEach, describe, expect, test, vi } from "vitest";
import { randomBytes } from "node:crypto";
import { RekeyError } from "../../../domain/errors.ts";
import type { Egress, EgressAnswer, EgressRequest } from "../../contract/egress.ts";
import { Secret } from "../../contract/secret.ts";
import { destroyKv, patchKv, readKv } from "./kv.ts";
import { sides } from "./side.ts";
import { openVault, type Vault } from "./vault.ts";

const signal = new AbortController().signal;
const fresh = () => randomBytes(12).toString("hex");
/** In every body of a failure: it may be in no text of ours. */
const foreign = "a message of Vault's own";

type Answer = Partial<EgressAnswer>;

/** Vault as a table of answers by method and path, and what it was asked. */
function scripted(answers: Readonly<Record<string, (request: EgressRequest, count: number) => Answer>>) {
  const asked: string[] = [];
  const fetch: Egress = Object.assign(
    async (request: EgressRequest, callersSignal: AbortSignal): Promise<EgressAnswer> => {
      await new Promise<void>((resolve) => void setImmediate(resolve));
      callersSignal.throwIfAborted();
      const line = `${request.method} ${new URL(request.url).pathname.slice("/v1/".length)}`;
      asked.push(line);
      const answer = answers[line]?.(request, asked.filter((one) => one === line).length);
      return { outcome: "reached", status: 404, body: { errors: [foreign] }, ...answer };
    },
    { resolve: async () => Promise.resolve([]) },
  );
  return { fetch, asked };
}

const address = "https://vault.example.com:8200";
const role = { roleId: "role-id" };
const open = (fetch: Egress, approle?: { readonly roleId: string }): Vault =>
  openVault({
    settings: { address, ...(approle === undefined ? {} : { approle }) },
    secret: async () => Promise.resolve(new Secret(fresh())),
    fetch,
    side: sides.target,
  });

const right = { path: "kv/data/orders", capabilities: ["read"] } as const;
const read = (vault: Vault, callersSignal = signal) => vault.ask({ path: right.path, right }, callersSignal);
const loginWith =
  (seconds: number, renewable = true) =>
  () => ({
    status: 200,
    body: { auth: { client_token: fresh(), lease_duration: seconds, renewable } },
  });
const self = (ttl: number) => () => ({ status: 200, body: { data: { ttl, creation_ttl: ttl, renewable: false } } });
const good = () => ({ status: 200, body: {} });
const tokenOf = ({ secretHeaders }: EgressRequest) => secretHeaders?.["x-vault-token"]?.reveal();

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RekeyError)) throw new Error("it must fail with an error of ours", { cause: error });
  expect(error.detail).not.toContain(foreign);
  return error;
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the login", () => {
  test("is one for all that ask at once, and secrets go in headers of their own", async () => {
    const seen = new Set<unknown>();
    const { fetch, asked } = scripted({
      "POST auth/approle/login": loginWith(600),
      "GET kv/data/orders": (request) => {
        seen.add(tokenOf(request));
        return good();
      },
    });
    const vault = open(fetch, role);
    await Promise.all([1, 2, 3].map(() => read(vault)));
    expect(asked.filter((line) => line.includes("login"))).toHaveLength(1);
    expect(seen.size).toBe(1);
  });

  test("that one caller gives up is made by the next", async () => {
    const { fetch } = scripted({ "POST auth/approle/login": loginWith(600), "GET kv/data/orders": good });
    const vault = open(fetch, role);
    const cancel = new AbortController();
    const first = read(vault, cancel.signal).catch((error: unknown) => error);
    const second = read(vault);
    cancel.abort(new Error("given up"));
    expect(await first).toMatchObject({ message: "given up" });
    expect((await second).status).toBe(200);
  });

  test("is renewed before it ends, and made anew where it cannot be", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { fetch, asked } = scripted({
      "POST auth/approle/login": loginWith(90),
      "POST auth/token/renew-self": (_, count) => (count === 1 ? loginWith(90)() : { status: 400 }),
      "GET kv/data/orders": good,
    });
    const vault = open(fetch, role);
    await read(vault);
    vi.advanceTimersByTime(59_000);
    await read(vault);
    expect(asked.filter((line) => line.startsWith("POST"))).toEqual(["POST auth/approle/login"]);
    for (const more of ["POST auth/token/renew-self", "POST auth/token/renew-self"]) {
      vi.advanceTimersByTime(61_000);
      await read(vault);
      expect(asked.filter((line) => line.startsWith("POST"))).toContain(more);
    }
    expect(asked.filter((line) => line.startsWith("POST"))).toEqual([
      "POST auth/approle/login",
      "POST auth/token/renew-self",
      "POST auth/token/renew-self",
      "POST auth/approle/login",
    ]);
  });

  test("that has ended is made anew, and the call sent once more", async () => {
    const { fetch, asked } = scripted({
      "POST auth/approle/login": loginWith(600),
      "GET kv/data/orders": (_, count) => (count === 1 ? { status: 403 } : good()),
      "GET auth/token/lookup-self": () => ({ status: 403 }),
    });
    expect((await read(open(fetch, role))).status).toBe(200);
    expect(asked.filter((line) => line.includes("login"))).toHaveLength(2);
  });

  test("that lives and may not is said so, with what to add to its policy", async () => {
    const { fetch, asked } = scripted({
      "POST auth/approle/login": loginWith(600),
      "GET kv/data/orders": () => ({ status: 403 }),
      "GET auth/token/lookup-self": self(600),
    });
    const error = await failing(read(open(fetch, role)));
    expect([error.name, error.code]).toEqual(["OperatorNeededError", "right_missing"]);
    expect(error.detail).toContain('path "kv/data/orders" {\n  capabilities = ["read"]\n}');
    expect(asked.filter((line) => line.includes("login"))).toHaveLength(1);
  });

  test("by a token that has ended needs a person, and a role that is not let in too", async () => {
    const dead = scripted({ "GET auth/token/lookup-self": () => ({ status: 403 }) });
    expect(await failing(read(open(dead.fetch)))).toMatchObject({ name: "OperatorNeededError", code: "login_expired" });
    const refused = scripted({ "POST auth/approle/login": () => ({ status: 400 }) });
    const error = await failing(read(open(refused.fetch, role)));
    expect([error.name, error.code]).toEqual(["OperatorNeededError", "target_auth_failed"]);
  });

  test("by a periodic token is given its whole time again when half of it is over", async () => {
    const { fetch, asked } = scripted({
      "GET auth/token/lookup-self": () => ({
        status: 200,
        body: { data: { ttl: 100, creation_ttl: 300, renewable: true } },
      }),
      "POST auth/token/renew-self": loginWith(300),
      "GET kv/data/orders": good,
    });
    await read(open(fetch));
    expect(asked).toContain("POST auth/token/renew-self");
  });

  test("that was made here is ended at the close, and a token that was given is not", async () => {
    const made = scripted({ "POST auth/approle/login": loginWith(600), "GET kv/data/orders": good });
    const vault = open(made.fetch, role);
    await read(vault);
    await vault.close(signal);
    expect(made.asked.at(-1)).toBe("POST auth/token/revoke-self");
    const given = scripted({ "GET auth/token/lookup-self": self(0), "GET kv/data/orders": good });
    const other = open(given.fetch);
    await read(other);
    await other.close(signal);
    expect(given.asked).not.toContain("POST auth/token/revoke-self");
  });
});

describe("a Vault in trouble", () => {
  const well = { initialized: true, sealed: false, standby: false, version: "1.21.4", server_time_utc: 1 };
  const trouble = async (answer: Answer, health: Answer = { status: 200, body: well }) => {
    const { fetch } = scripted({
      "GET auth/token/lookup-self": self(600),
      "GET kv/data/orders": () => ({ body: { errors: [foreign] }, ...answer }),
      "GET sys/health": () => health,
    });
    return failing(read(open(fetch)));
  };

  test.each<readonly [string, Answer, Answer | undefined, string, string]>([
    ["sealed", { status: 503 }, { status: 503, body: { ...well, sealed: true } }, "TransientError", "system_sealed"],
    [
      "a standby",
      { status: 500 },
      { status: 429, body: { ...well, standby: true } },
      "TransientError",
      "system_standby",
    ],
    ["a standby that redirects", { status: 307 }, undefined, "TransientError", "system_standby"],
    ["over its quota", { status: 429 }, undefined, "TransientError", "system_throttled"],
    ["broken", { status: 500 }, undefined, "TransientError", "target_unreachable"],
    ["behind a gateway", { status: 502 }, { status: 502 }, "TransientError", "target_unreachable"],
    [
      "not initialised",
      { status: 503 },
      { status: 501, body: { ...well, initialized: false, sealed: true } },
      "OperatorNeededError",
      "target_unreachable",
    ],
    ["away", { outcome: "refused", status: 0 }, undefined, "TransientError", "target_unreachable"],
    ["silent", { outcome: "timed-out", status: 0 }, undefined, "TransientError", "target_unreachable"],
    ["none at all", { status: 404 }, undefined, "OperatorNeededError", "target_refused"],
  ])("%s is named as such", async (_, answer, health, name, code) => {
    const error = await trouble(answer, health);
    expect([error.name, error.code]).toEqual([name, code]);
  });

  test("that has no such mount is never taken for one that has nothing there", async () => {
    const answers = (errors: readonly string[]) => ({
      "GET auth/token/lookup-self": self(600),
      ...Object.fromEntries(
        ["GET kv/data/orders", "PATCH kv/data/orders", "PUT kv/destroy/orders", "GET auth/approle/role/orders"].map(
          (line) => [line, () => ({ status: 404, body: { errors } })],
        ),
      ),
    });
    const at = { mount: "kv", path: "orders" };
    const works = [
      async (vault: Vault) => readKv(vault, at, signal),
      async (vault: Vault) => patchKv(vault, at, { data: {}, cas: 1 }, signal),
      async (vault: Vault) => destroyKv(vault, at, [1], signal),
      async (vault: Vault) =>
        vault.ask({ path: "auth/approle/role/orders", right: { ...right, path: "r" }, expects: [404] }, signal),
    ];
    for (const work of works) {
      await work(open(scripted(answers([])).fetch));
      const error = await failing(work(open(scripted(answers([foreign])).fetch)));
      expect([error.name, error.code]).toEqual(["OperatorNeededError", "target_refused"]);
      expect(error.detail).toContain("vault secrets list");
    }
  });

  test("that says when to ask again is asked again", async () => {
    const { fetch } = scripted({
      "GET auth/token/lookup-self": self(600),
      "GET kv/data/orders": (_, count) => (count < 3 ? { status: 429, retryAfterMs: 0 } : good()),
    });
    expect((await read(open(fetch))).status).toBe(200);
  });
});
