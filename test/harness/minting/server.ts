import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ReferenceServer, ServerFault, type Entry } from "../../conformance/reference/server.ts";

/** The reference issuer's server behind HTTP, so that workers that die and proxies that interfere can reach it. */
export interface MintServer {
  readonly url: string;
  /** As its own people see and shake it. */
  readonly server: ReferenceServer;
  /** Names of all keys, made by whomever. */
  keys(): readonly string[];
  /** Its time leaps over its lag: what has changed so far is known everywhere. */
  settle(): void;
  close(): void;
}

const statusOf: Readonly<Record<ServerFault["fault"], number>> = {
  down: 503,
  denied: 403,
  admin_refused: 401,
  full: 409,
  absent: 404,
};

type Answers = Readonly<Record<string, (name: string, body: Readonly<Record<string, unknown>>) => unknown>>;

/** One line for each call. All but `POST /login` are the administrator's. */
function answersOf(server: ReferenceServer): Answers {
  const changing = <T>(answer: () => T): T => {
    if (server.deniesAdmin) throw new ServerFault("denied");
    return answer();
  };
  return {
    "GET /identity": () => server.identity,
    "GET /rights": () => !server.deniesAdmin,
    "GET /now": () => server.now(),
    "GET /keys": () => server.names(),
    "GET /sessions": () => server.sessions,
    "GET /keys/:name": (name) => ({ entry: server.read(name) ?? null, revision: server.revisionOf(name) }),
    // Only while nobody has changed it since it was read: the answer says whether.
    "PUT /keys/:name": (name, { entry, revision }) =>
      changing(() => {
        if (revision !== server.revisionOf(name)) return null;
        return server.write(name, (entry as Entry | null) ?? undefined);
      }),
    "POST /keys": (_name, { mark }) => changing(() => server.mint(mark as string)),
    "POST /login": (_name, { name, secret }) => server.login(name as string, secret as string),
    "DELETE /sessions/:name": (id) => changing(() => (server.kill(id), true)),
  };
}

export async function startMintServer(options: { readonly lagMs: number; readonly capacity: number }) {
  let began = performance.now();
  const server = new ReferenceServer({ ...options, seed: 5, elapsed: () => performance.now() - began });
  const answers = answersOf(server);

  async function serve(message: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of message as AsyncIterable<Buffer>) text += chunk.toString();
    const [, place = "", name] = (message.url ?? "").split("/");
    const call = `${message.method} /${place}${name === undefined ? "" : "/:name"}`;
    try {
      if (server.isDown) throw new ServerFault("down");
      if (call !== "POST /login" && message.headers.authorization !== `Bearer ${server.admin.secret}`)
        throw new ServerFault("admin_refused");
      const body = text === "" ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
      const answer = answers[call]?.(decodeURIComponent(name ?? ""), body);
      outgoing.writeHead(answer === undefined ? 400 : 200).end(JSON.stringify(answer ?? null));
    } catch (error) {
      if (!(error instanceof ServerFault)) throw error;
      outgoing.writeHead(statusOf[error.fault]).end(JSON.stringify(error.fault));
    }
  }

  const front = createServer((message, outgoing) => {
    serve(message, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const { port } = front.address() as AddressInfo;
  const made: MintServer = {
    url: `http://127.0.0.1:${port}`,
    server,
    keys: () => server.names(),
    settle() {
      began -= options.lagMs;
    },
    close() {
      front.closeAllConnections();
      front.close();
    },
  };
  return made;
}
