import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AskLedger } from "../harness/oracle-books.ts";
import {
  registerCredential,
  type RegisteredAt,
  type RegisteredCredential,
  type ToRegister,
} from "../harness/register-credential.ts";
import type { HeldLogin } from "../harness/sentinel.ts";
import type { World } from "../harness/world.ts";

/** What an application reads elsewhere than in a file. */
export interface Besides {
  read(): Promise<HeldLogin>;
  close(): void;
}

/** One principal of an issuer that mints, with version 1 made by hand, as somebody outside of rekey sees it. */
export interface MintedPrincipal extends Pick<ToRegister, "kind" | "connection" | "config" | "principals" | "today"> {
  /** Variables of the consumer's file, each with the field of the value that it holds. */
  readonly keys: Readonly<Record<string, string>>;
  /** What the file holds before the first rotation. */
  readonly held: HeldLogin;
  /** The issuer's own names of all that it would let in, by its own list. */
  live(): Promise<readonly string[]>;
  /** Those that lie there and are refused until somebody enables them. Absent: the issuer knows no such state. */
  disabled?(): Promise<readonly string[]>;
  /** By which of those names the issuer knows a handle. */
  nameOf(handle: string): string;
  /** `accepted`, or the issuer's own code. */
  logsIn(login: HeldLogin): Promise<string>;
  /** The same login with a secret that nobody ever had. */
  wrong(login: HeldLogin): HeldLogin;
  /** Its codes for a login that has ended, and for a wrong secret of one that lives. */
  readonly refusals: { readonly ended: string; readonly wrong: string };
  /** Registers one consumer more, in a system of its own, which its application reads there. */
  readonly besides?: (world: RegisteredAt, credential: RegisteredCredential) => Promise<Besides>;
  /** Every secret that may stand in custody and in the file only, besides those in the file. */
  readonly secrets: readonly string[];
}

export type MintingIssuer = (mark: string) => Promise<MintedPrincipal>;

type How = Pick<ToRegister, "mark" | "order" | "policy" | "custody">;

/** The file of an application that uses it. */
export async function writeHeld({ folder }: Pick<World, "folder">, mark: string, held: HeldLogin): Promise<string> {
  const file = join(folder, "targets", `${mark}.env`);
  const lines = Object.entries(held).map(([name, text]) => `${name}=${text}\n`);
  await writeFile(file, lines.join(""), { mode: 0o600 });
  return file;
}

/** A credential with that file as its consumer. A worker has to run, or checks to be answered. */
export async function registerPrincipal(
  world: RegisteredAt,
  principal: MintedPrincipal,
  { file, ...how }: How & { readonly file: string },
): Promise<RegisteredCredential> {
  return registerCredential(world, {
    ...principal,
    ...how,
    consumer: {
      name: "app",
      kind: "file",
      target: `file:${file}`,
      config: { path: file, format: "dotenv", keys: principal.keys },
      evidence: { wanted: "delivered", collectors: {} },
    },
  });
}

/** What the issuer lets in, and what else takes a place there, against what the ledger says. */
export async function strangers(
  principal: MintedPrincipal,
  ledger: AskLedger,
  credentialId: string,
): Promise<readonly string[]> {
  const text = "SELECT handle, state FROM versions WHERE credential_id = $1 AND state IN ('live', 'disabled')";
  const rows = await ledger(text, [credentialId]);
  const known = (asked: string): string => {
    const handles = rows.flatMap(({ handle, state }) => (state === asked ? [principal.nameOf(String(handle))] : []));
    return handles.toSorted().join();
  };
  const live = [...(await principal.live())].toSorted().join();
  const disabled = [...((await principal.disabled?.()) ?? [])].toSorted().join();
  const breaches = [];
  if (live !== known("live"))
    breaches.push(`invariant 2: versions that are let in: ${live}; the ledger calls live: ${known("live")}.`);
  if (disabled !== known("disabled"))
    breaches.push(`invariant 2: versions that lie disabled: ${disabled}; the ledger's: ${known("disabled")}.`);
  return breaches;
}
