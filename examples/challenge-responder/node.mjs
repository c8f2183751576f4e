import { createHmac } from "node:crypto";
import { json } from "node:stream/consumers";

const hmac = (key, text) => createHmac("sha256", key).update(text);

/** A handler for `http.createServer`. `passwordInUse` returns what the pool logs in with at this moment. */
export function answerChallenge({ instance, consumer, instanceId }, passwordInUse) {
  return async (request, response) => {
    if (Number(request.headers["content-length"] ?? 4096) > 1024) return response.writeHead(413).end();
    const asked = await json(request).catch(() => undefined);
    const isForUs = asked?.instance === instance && asked.consumer === consumer;
    if (!isForUs || !/^[\w-]{42}[AEIMQUYcgkosw048]$/.test(String(asked.nonce))) return response.writeHead(403).end();
    const password = String(passwordInUse() ?? "");
    if (password.length < 22) return response.writeHead(503).end();
    const key = hmac(password, "rekey/challenge/v1").digest();
    const text = ["rekey/challenge/v1", instance, consumer, instanceId, String(asked.nonce)].join("\n");
    const mac = hmac(key, text).digest("base64url");
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ instanceId, mac }));
  };
}
