import { placeInAws, placeInVault, type OpenPlace } from "../harness/custody/places.ts";
import { hasVault, noVault, startVault } from "../harness/vault.ts";
import type { MatrixCase } from "./matrix-cases.ts";

type Elsewhere = Exclude<MatrixCase["custody"], "embedded">;

interface CrashCustody {
  /** Why it cannot be opened here. */
  readonly lacks?: string;
  open(): Promise<OpenPlace>;
}

/** Places outside the ledger, with servers of their own. */
export const crashCustodies: Readonly<Record<Elsewhere, CrashCustody>> = {
  aws: { open: placeInAws },
  vault: {
    ...(hasVault ? {} : { lacks: noVault }),
    async open() {
      const vault = await startVault();
      const place = await placeInVault(vault);
      return {
        ...place,
        async close() {
          await place.close();
          await vault.stop();
        },
      };
    },
  },
};

/** The name of the place in which the values of a case rest; undefined for the ledger. */
export const placeOf = ({ custody }: Pick<MatrixCase, "custody">): string | undefined =>
  custody === "embedded" ? undefined : `main-${custody}`;
