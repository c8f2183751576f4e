import { openSteps, type Steps } from "../steps.ts";
import { addMintedKinds } from "./issuer.ts";
import { registerMinted, type MintedRegistered, type RegisterMintedOptions } from "./registered.ts";

/** The steps with issuers that mint. */
export interface MintedBench extends Steps {
  register(options?: RegisterMintedOptions): Promise<MintedRegistered>;
}

export async function openMintedBench(): Promise<MintedBench> {
  addMintedKinds();
  const steps = await openSteps();
  const registered: MintedRegistered[] = [];
  return {
    ...steps,
    async register(options) {
      const made = await steps.checking(async () => registerMinted(steps, options));
      registered.push(made);
      return made;
    },
    async close() {
      for (const each of registered) each.close();
      await steps.close();
    },
  };
}
