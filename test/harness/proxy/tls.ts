import { makeCertificates } from "../aws/authority.ts";
import { proxyHttp, type HttpProxy } from "./http.ts";

/** A server that is spoken to over TLS alone, and whose authority is known. */
export interface TlsServer {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
}

/** A way to such a server that can be made to lose what passes. */
export interface TlsLine extends TlsServer {
  readonly proxy: HttpProxy;
}

export async function lineTo(server: TlsServer): Promise<TlsLine> {
  const { ca, cert, key } = makeCertificates();
  const proxy = await proxyHttp(server.url, { ca: server.ca, tls: { cert, key } });
  return { url: proxy.url, ca, proxy };
}
