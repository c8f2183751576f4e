import { createHash, createHmac } from "node:crypto";
import { join } from "node:path";
import { disk as realDisk } from "./disk.mjs";

/** Ends a request with a code of the protocol. */
class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const codeOf = ({ code }) => {
  if (["EROFS", "EACCES", "EPERM"].includes(code)) return "target_read_only";
  if (["ENOSPC", "EDQUOT"].includes(code)) return "target_full";
  return "target_unreachable";
};

/** Answers one request. The target is the name of a file in the folder; nobody can name a place outside of it. */
export function serve(request, folder, disk = realDisk) {
  try {
    if (request.protocol !== 1 || !/^[a-z0-9][a-z0-9-]{0,62}$/.test(request.target))
      throw new Refusal("target_refused");
    return actions[request.action](request, join(folder, `${request.target}.json`), disk);
  } catch (error) {
    return { error: error instanceof Refusal ? error.code : codeOf(error) };
  }
}

const actions = {
  preflight(_request, path, disk) {
    look(path, disk);
    disk.checkWritable(path);
    return { findings: [] };
  },

  observe(request, path, disk) {
    const { content, number } = look(path, disk);
    const isEmpty = request.fields.every((field) => textIn(content, field) === "");
    return { digest: digestOf(content, request), isEmpty, number };
  },

  deliver(request, path, disk) {
    disk.checkWritable(path);
    const release = disk.lock(path);
    try {
      const { content, number } = look(path, disk);
      if (number !== undefined && isLower(request.number, number)) throw new Refusal("claim_outdated");
      // First, so that a crash from here on cannot let an older delivery in.
      disk.replace(`${path}.number`, JSON.stringify(request.number));
      const wanted = digestOf(request.value, request);
      const present = digestOf(content, request);
      if (present === wanted) return { digest: wanted };
      if (request.expected !== undefined && request.expected !== present) throw new Refusal("target_drift");
      disk.replace(path, `${JSON.stringify({ ...content, ...request.value }, null, 2)}\n`);
      return { digest: digestOf(look(path, disk).content, request) };
    } finally {
      release();
    }
  },

  /** Stands for whatever makes your application read again. */
  reload(_request, path, disk) {
    disk.append(`${path}.reloads`, "reload\n");
    return {};
  },
};

const isLower = (a, b) => a.epoch < b.epoch || (a.epoch === b.epoch && a.number < b.number);

/** What lies there, and the number of the last delivery. Takes no lock: a look must not wait, nor leave anything. */
function look(path, disk) {
  const [text, number] = [disk.read(path), disk.read(`${path}.number`)];
  try {
    const content = JSON.parse(text ?? "{}");
    if (content === null || typeof content !== "object" || Array.isArray(content))
      throw new Refusal("target_malformed");
    return { content, number: number === undefined ? undefined : JSON.parse(number) };
  } catch {
    throw new Refusal("target_malformed");
  }
}

const textIn = (content, field) => (content[field] === undefined ? "" : String(content[field]));

/** As the protocol says: the content of the fields under the key of the request. */
function digestOf(content, { target, fields, key }) {
  const lines = fields.map((field) => `${field}=${Buffer.from(textIn(content, field)).toString("base64")}\n`);
  const seal = createHash("sha256")
    .update(`rekey/exec/v1\n${target}\n${lines.join("")}`)
    .digest("hex");
  return createHmac("sha256", key).update(seal).digest("hex");
}
