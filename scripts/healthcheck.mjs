// For the image of `serve`: ends with 0 when the API of this very container answers at /health, which asks its ledger too. Knows of the settings
// only where it listens and whether it speaks TLS; whose certificate it is does not matter to a look at oneself.
import { get as getPlain } from "node:http";
import { get as getTls } from "node:https";

const { REKEY_LISTEN = "", REKEY_PORT = "7390", REKEY_TLS_CERT_FILE = "" } = process.env;
const port = Number(/:(\d+)$/.exec(REKEY_LISTEN)?.[1] ?? REKEY_PORT);
const get = REKEY_TLS_CERT_FILE === "" ? getPlain : getTls;
const options = { host: "127.0.0.1", port, path: "/api/v1/health", rejectUnauthorized: false, timeout: 5_000 };

const request = get(options, (answer) => {
  answer.resume();
  process.exitCode = answer.statusCode === 200 ? 0 : 1;
});
request.on("timeout", () => request.destroy(new Error("no answer")));
request.on("error", (error) => {
  console.error(`rekey's API does not answer on port ${port}: ${error.message}`);
  process.exitCode = 1;
});
