import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { CompiledQuery } from "kysely";
import type { Policy } from "../../domain/policy.ts";
import { hastenAccessKeys } from "../harness/aws-keys.ts";
import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle } from "../harness/aws/settings.ts";
import { namePlaces, placeInAws, placeInVault, type OpenPlace } from "../harness/custody/places.ts";
import type { AskLedger } from "../harness/oracle-books.ts";
import { wrongKept, wrongValue } from "../harness/oracle-custody.ts";
import type { HttpCall } from "../harness/proxy/http.ts";
import { lineTo, type TlsLine } from "../harness/proxy/tls.ts";
import type { RegisteredCredential } from "../harness/register-credential.ts";
import { openSteps, type Steps } from "../harness/steps.ts";
import { startVault } from "../harness/vault.ts";
import { newMark } from "../harness/world.ts";
import { awsIssuer } from "./aws-issuer.ts";
import { says } from "./lost-answer.ts";
import { registerPrincipal, strangers, writeHeld, type MintingIssuer } from "./minted-principal.ts";
import { vaultIssuer } from "./vault-issuer.ts";

/** The steps at an issuer of a real kind, with the values in the ledger or in the place of the same system. */
export interface MintedScenes extends Steps {
  register(policy?: Partial<Policy>): Promise<MintedScene>;
}

type Line = TlsLine["proxy"];

/** A credential, the lines by which rekey reaches what belongs to it, and its calls there. */
export interface MintedScene extends RegisteredCredential {
  readonly issuer: Line;
  /** Undefined where the values rest in the ledger. */
  readonly place: Line | undefined;
  /** A call that names this credential and says all of it. */
  says(...parts: readonly string[]): (call: HttpCall) => boolean;
  /** How many versions the issuer would let in. */
  liveCount(): Promise<number>;
  /** A person deletes what lies in the place, so that it can be brought back. */
  hide(): Promise<void>;
  /** Looks from outside: the issuer lets in what the ledger calls live, custody has that alone, the file works. */
  wrong(): Promise<readonly string[]>;
}

export type System = "aws" | "vault";

interface OpenSystem {
  readonly line: TlsLine;
  readonly issuer: MintingIssuer;
  openPlace(): Promise<OpenPlace>;
  close(): Promise<void>;
}

const systems: Readonly<Record<System, () => Promise<OpenSystem>>> = {
  async aws() {
    hastenAccessKeys(100);
    const aws = await FakeAws.start(gentle);
    const line = await lineTo(aws);
    return { line, issuer: await awsIssuer(aws, line), openPlace: placeInAws, close: async () => aws.close() };
  },
  async vault() {
    const vault = await startVault();
    const line = await lineTo({ url: vault.address, ca: vault.ca });
    return {
      ...{ line, issuer: vaultIssuer(vault, line) },
      openPlace: async () => placeInVault(vault),
      close: async () => vault.stop(),
    };
  },
};

const asked = ({ ledger }: Steps): AskLedger => {
  const { db } = ledger;
  return async (text, values = []) =>
    (await db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...values]))).rows;
};

export async function openMintedScenes(folder: string, system: System, isElsewhere: boolean): Promise<MintedScenes> {
  const { line, issuer, openPlace, close } = await systems[system]();
  const place = isElsewhere ? await openPlace() : undefined;
  const places = place === undefined ? [] : [place];
  const ports = [line, ...places.map((each) => each.line)].map(({ proxy }) => proxy.port);
  const environment = { ...(await namePlaces(folder, places)), REKEY_EGRESS_LOCAL_PORTS: ports.join(",") };
  const steps = await openSteps(environment);
  const elsewhere = places.map(({ witness }) => witness);
  const ledger = asked(steps);
  return {
    ...steps,
    async register(policy = {}) {
      const mark = newMark();
      const principal = await issuer(mark);
      const file = await writeHeld(steps, mark, principal.held);
      const how = { mark, file, order: "overlap", policy, custody: elsewhere[0]?.place } as const;
      const stored = await steps.checking(async () => registerPrincipal(steps, principal, how));
      const { credentialId } = stored;
      return {
        ...stored,
        issuer: line.proxy,
        place: place?.line.proxy,
        says:
          (...parts) =>
          (call) =>
            says(call, parts) && (says(call, [mark]) || says(call, [credentialId])),
        liveCount: async () => (await principal.live()).length,
        async hide() {
          for (const each of elsewhere) await each.hide(credentialId);
        },
        async wrong() {
          const held = { ...parseEnv(await readFile(file, "utf8")) } as Readonly<Record<string, string>>;
          const secrets = Object.entries(held).flatMap(([name, text]) => (name.includes("SECRET") ? [text] : []));
          const books = { world: { elsewhere }, credentialId, ledger };
          const answer = await principal.logsIn(held);
          return [
            ...(answer === "accepted" ? [] : [`invariant 1: what the file holds is answered with ${answer}.`]),
            ...(await strangers(principal, ledger, credentialId)),
            ...(await wrongKept(books)),
            ...(await wrongValue(books, secrets)),
          ];
        },
      };
    },
    async close() {
      await steps.close();
      await place?.close();
      line.proxy.close();
      await close();
    },
  };
}
