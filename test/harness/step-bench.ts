import { releases, startIssuerServer, type Release } from "./postgres-issuer.ts";
import { register, type Registered, type RegisteredAt, type RegisterOptions } from "./registered.ts";
import { openSteps, type Steps } from "./steps.ts";

/** The steps on a real ledger and a real issuer, with applications that use what they rotate. */
export interface StepBench extends RegisteredAt, Steps {
  register(options?: RegisterOptions): Promise<Registered>;
}

/** `environment`: settings of the worker besides those that a bench has by itself. `release`: of the issuer. */
export async function openStepBench(
  environment: Readonly<Record<string, string>> = {},
  release: Release = releases[0] ?? { name: "PostgreSQL" },
): Promise<StepBench> {
  const [steps, issuer] = await Promise.all([openSteps(environment), startIssuerServer(release)]);
  const place: RegisteredAt = { ...steps, issuer };
  return {
    ...steps,
    ...place,
    // Registering waits for a check, which a worker would run.
    register: async (options) => steps.checking(async () => register(place, options)),
    async close() {
      await Promise.all([steps.close(), issuer.stop()]);
    },
  };
}
