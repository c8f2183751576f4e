import { randomBytes } from "node:crypto";
import type { AwsClients, AwsKeys, ClientOptions } from "./clients.ts";

/** One of the two servers, asked in the same words. */
export interface Witness {
  readonly admin: AwsClients;
  /** Of a fresh user with the policies, or with all rights. */
  keys(policies?: readonly unknown[]): Promise<AwsKeys & { readonly userName: string }>;
  as(keys: AwsKeys, options?: ClientOptions): AwsClients;
}

/** What is asked, what AWS documents, which the fake does, and what moto does instead. */
export interface Difference {
  readonly what: string;
  readonly documented: string;
  readonly ask: (witness: Witness) => Promise<unknown>;
  readonly aws: unknown;
  readonly moto: unknown;
}

/** A name that nothing has yet. */
export const fresh = () => `x${randomBytes(8).toString("hex")}`;
/** The name of the error, or `ok`. */
export const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "ok",
    (error: Error) => error.name,
  );
