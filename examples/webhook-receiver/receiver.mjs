// Takes rekey's notices: verifies the signature, drops repeats, picks the new version up, and says { "ok": true }.
// npm install standardwebhooks; run with the secret in a file: node receiver.mjs /etc/reports/rekey-signing-secret 8080
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const [, , secretFile = "", port = "8080"] = process.argv;
const webhook = new Webhook(readFileSync(secretFile, "utf8").trim());
/** Ids of the notices that were taken. Keep them where the process does not lose them, if a repeat would do harm. */
const taken = new Set();

/** Yours: read the version from where it lies and open new connections with it. */
async function pickUp({ type, credential, version }) {
  console.log(`${type}: version ${version} of ${credential}`);
}

/** Too long for a notice is none. */
async function bodyOf(request) {
  let text = "";
  for await (const part of request.setEncoding("utf8")) if ((text += part).length > 10_000) throw new Error("too long");
  return text;
}

async function take(request, response) {
  const say = (status, body) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  let notice;
  try {
    // Throws unless the signature is right and the notice is at most five minutes old.
    notice = webhook.verify(await bodyOf(request), request.headers);
  } catch {
    return say(401, { ok: false });
  }
  const id = request.headers["webhook-id"];
  try {
    if (notice.type !== "credential.test" && !taken.has(id)) await pickUp(notice);
    taken.add(id);
    return say(200, { ok: true });
  } catch {
    // rekey tells again.
    return say(500, { ok: false });
  }
}

const server = createServer((request, response) => void take(request, response));
server.listen(Number(port), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
