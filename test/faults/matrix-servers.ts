import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namePlaces, type OpenPlace } from "../harness/custody/places.ts";
import type { WorldOptions } from "../harness/world.ts";
import { crashCustodies } from "./crash-custodies.ts";
import { crashIssuers, type OpenIssuer } from "./crash-issuers.ts";
import type { MatrixCase } from "./matrix-cases.ts";

type Case = Pick<MatrixCase, "issuer" | "custody">;

/** Issuers and places of custody that the chosen cases need; all lanes share them. */
export interface MatrixServers {
  /** What a world has to know of them. */
  readonly world: WorldOptions;
  issuer(one: Case): OpenIssuer;
  /** Undefined for the ledger. */
  place(one: Case): OpenPlace | undefined;
  close(): Promise<void>;
}

/** Why a case cannot be run here. */
export const lacksOf = ({ issuer, custody }: Case): string | undefined =>
  crashIssuers[issuer].lacks ?? (custody === "embedded" ? undefined : crashCustodies[custody].lacks);

export async function openServers(cases: readonly Case[]): Promise<MatrixServers> {
  const issuers = new Map<string, OpenIssuer>();
  const places = new Map<string, OpenPlace>();
  const folder = await mkdtemp(join(tmpdir(), "rk-matrix-"));
  const close = async () => {
    for (const each of [...issuers.values(), ...places.values()]) await each.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const { issuer, custody } of cases) {
      if (!issuers.has(issuer)) issuers.set(issuer, await crashIssuers[issuer].open());
      if (custody !== "embedded" && !places.has(custody)) places.set(custody, await crashCustodies[custody].open());
    }
    const open = [...issuers.values(), ...places.values()];
    const ports = open.flatMap(({ line }) => (line === undefined ? [] : [String(line.proxy.port)])).join(",");
    const environment: Record<string, string> = await namePlaces(folder, [...places.values()]);
    if (ports !== "") environment["REKEY_EGRESS_LOCAL_PORTS"] = ports;
    for (const issuer of issuers.values()) Object.assign(environment, issuer.environment);
    return {
      world: { environment, elsewhere: [...places.values()].map(({ witness }) => witness) },
      issuer({ issuer }) {
        const found = issuers.get(issuer);
        if (found === undefined) throw new Error(`${issuer} was not opened`);
        return found;
      },
      place: ({ custody }) => places.get(custody),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
