import type { IssuerSession } from "../../../providers/contract/issuer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import type { VaultServer } from "../../harness/vault.ts";
import type { IssuerClauseName } from "../issuer-suite.ts";
import type { Twist } from "./approle-world.ts";

/** The real provider with one small change, on a real Vault, and the clause that must catch it. */
export interface WrongApprole {
  readonly name: string;
  readonly caughtBy: IssuerClauseName;
  readonly twist: Twist;
}

type By = Parameters<Twist>[1];

let turn = 0;
/** A claim that beats every other. */
const newest = () => ({ epoch: 9, number: (turn += 1) });

async function destroy({ vault, role }: By, handle: string): Promise<void> {
  const [accessor] = handle.split(".");
  await vault.call("POST", `${role}/secret-id-accessor/destroy`, { secret_id_accessor: accessor });
}

async function mint({ vault, role }: By, metadata: object) {
  const { data } = (await vault.must("POST", `${role}/secret-id`, { metadata: JSON.stringify(metadata) })) as {
    readonly data: { readonly secret_id: string; readonly secret_id_accessor: string };
  };
  const id = (await vault.must("GET", `${role}/role-id`)) as { readonly data: { readonly role_id: string } };
  const { secret_id: secret, secret_id_accessor: accessor } = data;
  return {
    handle: `${accessor}.${String((metadata as Record<string, string>)["rekey_mark"])}`,
    value: {
      role_id: id.data.role_id,
      secret_id: new Secret(secret),
      accessor,
      mark: String((metadata as Record<string, string>)["rekey_mark"]),
    },
    effectiveAt: new Date().toISOString(),
  };
}

async function tokensOf(vault: VaultServer, role: string): Promise<readonly string[]> {
  const { data } = (await vault.must("GET", "auth/token/accessors?list=true")) as {
    readonly data: { readonly keys: readonly string[] };
  };
  const mount = role.split("/role/")[0];
  const found: string[] = [];
  for (const accessor of data.keys) {
    const { body } = await vault.call("POST", "auth/token/lookup-accessor", { accessor });
    const of = body["data"] as { readonly path: string; readonly meta?: { readonly role_name?: string } } | undefined;
    if (of?.path === `${mount}/login` && of.meta?.role_name === "orders") found.push(accessor);
  }
  return found;
}

const without = (right: IssuerSession, code: string): Pick<IssuerSession, "probe"> => ({
  async probe(request) {
    const answer = await right.probe(request);
    return answer.code === code ? { ...answer, verdict: "refused", code: "invalid_secret_id" } : answer;
  },
});

export const wrongApprole: readonly WrongApprole[] = [
  {
    name: "ends the oldest where there is no room",
    caughtBy: "7.3 what is in keep is never touched",
    twist: (right, by) => ({
      async issue(request) {
        const [oldest] = request.keep;
        if (request.keep.length < 2 || oldest === undefined) return right.issue(request);
        await destroy(by, oldest);
        return right.issue({ ...request, keep: request.keep.slice(1) });
      },
    }),
  },
  {
    name: "mints again without looking",
    caughtBy: "7.1 a lost answer, repeated, makes no second version",
    twist: (_, by) => ({
      issue: async ({ operationKey, claim }) =>
        mint(by, {
          rekey_instance: "ins_conformance",
          rekey_credential: "crd_conformance",
          rekey_operation: operationKey,
          rekey_claim: `${claim.epoch}.${claim.number}`,
          rekey_mark: `m${claim.number}`,
        }),
    }),
  },
  {
    name: "mints without a mark",
    caughtBy: "7.2 what is issued is marked as ours",
    twist: (_, by) => ({ issue: async () => mint(by, { rekey_mark: "m" }) }),
  },
  {
    name: "ends a leftover that the ledger records",
    caughtBy: "7.2 a minted repeat never ends what the ledger records",
    twist: (right, by) => ({
      async issue(request) {
        for (const handle of request.keep) await destroy(by, handle);
        return right.issue({ ...request, keep: [] });
      },
    }),
  },
  {
    name: "lists one operation as the maker of all",
    caughtBy: "7.2 a minted version is listed as made by its own operation, or by none",
    twist: (right) => ({
      list: async () =>
        (await right.list()).map((each, _at, [first]) =>
          first?.operationKey === undefined ? each : { ...each, operationKey: first.operationKey },
        ),
    }),
  },
  {
    name: "does not compare claims",
    caughtBy: "5 an outdated claim cannot issue",
    twist: (right) => ({ issue: (request) => right.issue({ ...request, claim: newest() }) }),
  },
  {
    name: "abandons by the handle and not by the key",
    caughtBy: "5 a late issue cannot revive what was abandoned",
    twist: (right) => ({
      async abandon(request) {
        if (request.handle !== "") await right.revoke(request);
      },
    }),
  },
  {
    name: "ends what another installation made",
    caughtBy: "7.3 another instance's version is not touched",
    twist: (_, by) => ({ revoke: ({ handle }) => destroy(by, handle) }),
  },
  {
    name: "probe says accepted without a wrong value beside it",
    caughtBy: "7.5 where anything is accepted, nothing is proven",
    twist: (right) => ({
      async probe(request) {
        const answer = await right.probe(request);
        return answer.code === "wrong_value_accepted" ? { ...answer, verdict: "accepted", code: "accepted" } : answer;
      },
    }),
  },
  {
    name: "probe takes a refusal for a death with no control beside it",
    caughtBy: "7.5 a refusal without a live control is unknown",
    twist: (right) => without(right, "control_refused"),
  },
  {
    name: "probe does not ask the catalogue",
    caughtBy: "7.5 the catalogue must agree with a refusal",
    twist: (right) => without(right, "catalogue_says_live"),
  },
  {
    name: "probe takes a lockout for a death",
    caughtBy: "7.5 a lockout is unknown",
    twist: (right) => without(right, "permission_denied"),
  },
  {
    name: "the tokens that a probe makes are seen as somebody's",
    caughtBy: "7.6 rekey's own logins are left out",
    twist: (right, { vault, role }) => ({
      async probe(request) {
        const { value } = request;
        const json = { role_id: value["role_id"], secret_id: (value["secret_id"] as Secret<string>).reveal() };
        await vault.call("POST", `${role.split("/role/")[0]}/login`, json, { token: "" });
        return right.probe(request);
      },
    }),
  },
  {
    name: "usage is of the role and not of the version",
    caughtBy: "7.6 usage shows every session of a version, and of no other",
    twist: (right) => ({
      async usage(handles) {
        const all = (await right.usage?.(handles)) ?? { at: "", sessions: {} };
        const every = Object.values(all.sessions).flat();
        return { ...all, sessions: Object.fromEntries(handles.map((handle) => [handle, every])) };
      },
    }),
  },
  {
    name: "ends every token of the role",
    caughtBy: "5 endSessions for version 1 leaves version 3's alone",
    twist: (_, { vault, role }) => ({
      async endSessions() {
        const found = await tokensOf(vault, role);
        for (const accessor of found) await vault.call("POST", "auth/token/revoke-accessor", { accessor });
        return { ended: found.length, remaining: 0 };
      },
    }),
  },
  {
    name: "takes the tokens to end with their secret id",
    caughtBy: "5 endSessions never says none while one is",
    twist: () => ({ endSessions: async () => Promise.resolve({ ended: 0, remaining: 0 }) }),
  },
];
