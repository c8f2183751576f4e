import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

/** Whether it is `https://HOST[:PORT]` and nothing else: no path, no user, no question mark. */
export function isHttpsOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "https:" || url.username !== "" || url.password !== "") return false;
  return url.pathname === "/" && url.search === "" && url.hash === "";
}

/** Whether it is a certificate as PEM, or several, that can vouch for a server. */
export function isAuthority(text: string): boolean {
  try {
    createSecureContext({ ca: text });
    return text.includes("-----BEGIN CERTIFICATE-----") && new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}
