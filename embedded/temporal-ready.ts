import { connect, constants } from "node:http2";

/** A gRPC frame (no compression, length) around `DescribeNamespaceRequest { namespace: "default" }`, field 1. */
const message = Buffer.concat([Buffer.from([0x0a, 7]), Buffer.from("default")]);
const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);

/**
 * Whether the server answers for its default namespace: its port is open well before. Asked over plain HTTP/2, since
 * loading the `temporal` program for each question would cost more than the start it waits for.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function answersForNamespace(port: number, limitMs = 3000): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const timer = setTimeout(() => end(false), limitMs);
    const end = (isReady: boolean): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(isReady);
    };
    session.on("error", () => end(false));
    session.on("close", () => end(false));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace",
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      [constants.HTTP2_HEADER_TE]: "trailers",
    });
    stream.on("error", () => end(false));
    // A refusal comes as headers alone, an answer ends with the status.
    for (const event of ["response", "trailers"] as const) {
      stream.on(event, (headers: Record<string, unknown>) => {
        const status = headers["grpc-status"];
        if (status !== undefined) end(status === "0");
      });
    }
    stream.resume();
    stream.end(frame);
  });
}
