import { EventEmitter } from "node:events";
import type { FailureWord } from "./login.ts";

/** What a login's connection saw of the server's way to ask for the password. */
export interface Authentication {
  /** The server asked for SCRAM. */
  readonly challenged: boolean;
  /** The server showed, at the end of SCRAM, that it holds the password's verifier. */
  readonly proven: boolean;
  readonly refused: FailureWord | undefined;
}

/** Parts of `pg`'s wire connection that it does not declare. */
interface Wire extends EventEmitter {
  /** Answers clear-text and MD5 requests, and nothing else. */
  password(answer: string): void;
  /** Reads what the server sends, from the socket or, later, from TLS over it. */
  attachListeners(stream: Pick<EventEmitter, "on">): void;
}

/**
 * `pg` answers whatever it is asked, clear text included: whoever stands in for the server would be handed the password.
 * The one function that writes such an answer is replaced; SCRAM has its own. `pg` also takes a server's word that SCRAM
 * is over, so that the end is watched too.
 */
export function guardAuthentication(connection: EventEmitter): Authentication {
  const wire = connection as Wire;
  const seen: { challenged: boolean; proven: boolean; refused: FailureWord | undefined } = {
    challenged: false,
    proven: false,
    refused: undefined,
  };
  wire.on("authenticationSASL", () => (seen.challenged = true));
  wire.on("authenticationSASLFinal", () => (seen.proven = true));
  wire.on("authenticationCleartextPassword", () => (seen.refused = "clear_text_requested"));
  wire.on("authenticationMD5Password", () => (seen.refused = "md5_requested"));
  wire.password = () => {
    wire.emit("error", new Error("refused to answer"));
  };
  catchMalformed(wire);
  return seen;
}

/** A message that `pg` cannot read is thrown in the middle of the socket's event, where it would end the process. */
function catchMalformed(wire: Wire): void {
  const attach = wire.attachListeners.bind(wire);
  wire.attachListeners = (stream) => {
    attach({
      on(event, listener) {
        stream.on(event, (...given: unknown[]) => {
          try {
            listener(...given);
          } catch (error) {
            wire.emit("error", error);
          }
        });
        return stream as EventEmitter;
      },
    });
  };
}
