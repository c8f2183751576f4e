// The example program with trouble between it and its target: node troubled-program.mjs FOLDER TROUBLE-FILE SOCKET LOSES
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { disk } from "../../../examples/exec-consumer/disk.mjs";
import { serve } from "../../../examples/exec-consumer/serve.mjs";

const [folder, troubleFile, socketPath, loses] = process.argv.slice(2);
const trouble = JSON.parse(readFileSync(troubleFile, "utf8"));
const fail = (code) => {
  throw Object.assign(new Error(`${code}: made by the test`), { code });
};

const troubled = {
  ...disk,
  replace(path, content) {
    if (trouble.isReadOnly) fail("EROFS");
    if (trouble.isFull) fail("ENOSPC");
    if (!trouble.swallows) disk.replace(path, content);
  },
  checkWritable(path) {
    if (trouble.isReadOnly) fail("EROFS");
    disk.checkWritable(path);
  },
};

const request = JSON.parse(await text(process.stdin));
if (request.action === "deliver" && socketPath !== "") {
  // On its way: it goes on once the world closes the line.
  const line = connect(socketPath);
  line.resume();
  await once(line, "end");
  line.end();
}
const answer = serve(request, folder, troubled);
if (request.action === "deliver" && loses === "loses") process.exitCode = 1;
else process.stdout.write(JSON.stringify({ protocol: 1, id: request.id, ...answer }));
