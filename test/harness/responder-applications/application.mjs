// An application of the test: told by lines of JSON what to be, then what its pool logs in with.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

// Which one is told, since some are planted.
const { answerChallenge } = await import(process.argv[2]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);
const pool = { options: { password: undefined } };
const passwordInUse = () => (given.file === null ? pool.options.password : readFileSync(given.file, "utf8"));
const server = createServer(answerChallenge(given, passwordInUse));
for await (const line of lines) {
  pool.options.password = JSON.parse(line);
  if (!server.listening) await once(server.listen(given.port, given.host), "listening");
  process.stdout.write(`${server.address().port}\n`);
}
process.exit();
