import { join } from "node:path";
import type { ProductRun } from "./product-run.ts";
import type { AllowedPlace } from "./scan.ts";

/** Every place in which a secret of the run may lie in clear. A scan must find one in each, else it is listed for nothing. */
export function allowedPlaces({ files, home }: ProductRun): readonly AllowedPlace[] {
  return [
    { path: files.target, why: "the consumer's own target: what the product is for" },
    { path: files.adminSecret, why: "the file that a person named in secretFrom; rekey only reads it" },
    { path: files.signingSecret, why: "likewise" },
    { path: files.slackAddress, why: "likewise" },
    { path: files.wrongManifest, why: "a person's mistake, written by the test; rekey only reads it" },
    { path: join(home, "token"), why: "the first admin token, for its owner only" },
    { path: join(home, "keys"), why: "the key-encryption, fingerprint and signing keys, for their owner only" },
  ];
}
