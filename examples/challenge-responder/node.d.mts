import type { IncomingMessage, ServerResponse } from "node:http";

export declare function answerChallenge(
  settings: { readonly instance: string; readonly consumer: string; readonly instanceId: string },
  passwordInUse: () => string | undefined,
): (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;
