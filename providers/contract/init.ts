import type { z } from "zod";
import type { ProviderContext } from "./context.ts";
import type { Finding } from "./issuer.ts";
import type { FieldDeclarations, Value } from "./value.ts";

/** Something for a person to run, which rekey itself never does. Without secrets, ready to paste. */
export interface InitStep {
  readonly title: string;
  /** What it changes, and why nobody notices. */
  readonly why: string;
  /** Where it is run, such as "psql, as a superuser". */
  readonly where: string;
  readonly run: string;
  /** What takes it back. */
  readonly undo: string;
}

/** A mark of rekey that was found on what is asked about: it is under rekey already, here or elsewhere. */
export interface Claimed {
  /** What carries it, such as a login. */
  readonly on: string;
  /** Whose mark it is; undefined where it cannot be read. */
  readonly by: { readonly instance: string; readonly credential: string } | undefined;
  /** What takes it away, once nobody rotates it any more. */
  readonly mend: string;
}

/** What a look at a system says about bringing one thing of it under rekey. */
export interface Inspection {
  /** What the system calls itself, as `identify` says it. */
  readonly identity: string;
  /** Absent where nothing of rekey was found. */
  readonly claimed?: Claimed;
  /** What was seen, a line each. */
  readonly seen: readonly { readonly name: string; readonly text: string }[];
  /** What stands in the way. */
  readonly findings: readonly Finding[];
  /** In this order; each is safe while the application works. */
  readonly steps: readonly InitStep[];
  /** Of the manifests: `config` of the connection and of the credential. */
  readonly connection: Readonly<Record<string, unknown>>;
  readonly credential: Readonly<Record<string, unknown>>;
  /** `evidence` of its consumer, by kind, as far as it can be told from what was seen. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** The login that the credential has today, as `credential adopt` asks for it. */
  readonly username: string;
}

/** The optional ability of a kind to look at a system before anything is registered. It changes nothing there. */
export interface Init<Question = unknown> {
  /** As people say it: `rekey init <name>`. */
  readonly name: string;
  readonly questionSchema: z.ZodType<Question>;
  /** Of the login to look with, which is given for this once. */
  readonly secretFields: FieldDeclarations;
  inspect(question: Question, secret: Value, context: ProviderContext): Promise<Inspection>;
}
