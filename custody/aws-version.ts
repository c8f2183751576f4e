import { createHash } from "node:crypto";

// The request's token becomes the version's id, and one is never given another content. So an id of ours says by itself
// whether it is a value or the mark that one was forgotten, which is all that AWS tells of a secret that is marked for
// deletion. Each id comes from the one that it takes the place of: none is current twice, and a call that comes late names
// one that is current no more.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html

/** The one stage that is always on exactly one version, and that the first gets by itself. */
export const current = "AWSCURRENT";
/** On what is about to become current: a version put under no stage of its own would become so without a check. */
export const next = "rekey-next";

const forgotten = "rekey-forgotten-";

const digest = (...parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 40);

/** Of a value for one ref, over the version that was current; undefined where there was none. */
export const valueId = (tie: string, over: string | undefined): string => `rekey-value-${digest(tie, over ?? "")}`;

export const forgottenId = (over: string): string => `${forgotten}${digest(over)}`;

export const isForgotten = (id: string): boolean => id.startsWith(forgotten);
