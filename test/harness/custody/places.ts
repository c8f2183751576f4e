import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PlaceSettings } from "../../../custody/open-custody.ts";
import { policyOnPage } from "../../conformance/vault/page-policies.ts";
import { awsPage, policyIn, settingsAt } from "../aws-settings.ts";
import { FakeAws } from "../aws/fake-aws.ts";
import { gentle } from "../aws/settings.ts";
import { lineTo, type TlsLine } from "../proxy/tls.ts";
import type { VaultServer } from "../vault.ts";
import { witnessInAws } from "./in-aws.ts";
import { witnessInVault } from "./in-vault.ts";
import type { CustodyWitness } from "./witness.ts";

/** A place of custody outside the ledger, with the rights that its page prints and no others. */
export interface OpenPlace {
  readonly witness: CustodyWitness;
  /** The only way to it that rekey knows. */
  readonly line: TlsLine;
  /** Its entry in the file that names places. */
  readonly entry: PlaceSettings;
  close(): Promise<void>;
}

/** Variables of API and workers, by which they know these places and no others. The file lies in the folder. */
export async function namePlaces(
  folder: string,
  places: readonly OpenPlace[],
): Promise<Readonly<Record<string, string>>> {
  if (places.length === 0) return {};
  const file = join(folder, "custodies.json");
  const entries = Object.fromEntries(places.map(({ witness, entry }) => [witness.place, entry]));
  await writeFile(file, JSON.stringify(entries), { mode: 0o600 });
  return { REKEY_CUSTODIES_FILE: file };
}

async function opened(
  line: TlsLine,
  secret: string,
  witnessOf: (at: Pick<CustodyWitness, "place" | "secrets">) => CustodyWitness,
  settings: PlaceSettings,
): Promise<OpenPlace> {
  const folder = await mkdtemp(join(tmpdir(), "rk-place-"));
  const secretFile = join(folder, "secret");
  await writeFile(secretFile, secret, { mode: 0o600 });
  return {
    witness: witnessOf({ place: `main-${settings.kind}`, secrets: [secret] }),
    line,
    entry: { ...settings, secretFile },
    async close() {
      line.proxy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `main-aws`, at a strict stand-in of its own. */
export async function placeInAws(): Promise<OpenPlace> {
  const aws = await FakeAws.start(gentle);
  const { account } = aws.identities;
  aws.addUser("rekey", [await policyIn(awsPage, "## Custody", account)]);
  const keys = aws.addKey("rekey");
  const line = await lineTo(aws);
  const settings = { kind: "aws", ...settingsAt(line, account, keys) };
  const place = await opened(line, keys.secretAccessKey, (at) => witnessInAws(aws, at), settings);
  return {
    ...place,
    async close() {
      await place.close();
      aws.close();
    },
  };
}

/** `main-vault`, in an engine of its own. */
export async function placeInVault(vault: VaultServer): Promise<OpenPlace> {
  const mount = await vault.mountKv();
  const token = await vault.tokenWith(policyOnPage("custody", { "secret/": `${mount}/` }));
  const line = await lineTo({ url: vault.address, ca: vault.ca });
  const settings = { kind: "vault", address: line.url, ca: line.ca, mount };
  return opened(line, token, (at) => witnessInVault(vault, mount, at), settings);
}
