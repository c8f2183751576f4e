import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";

/** PEM throughout. */
export interface Certificates {
  /** What a client has to trust. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority of this run, and a certificate of it for 127.0.0.1 and localhost. Written here, because openssl is not everywhere. */
export function makeCertificates(): Certificates {
  const [authority, server] = [newKeys(), newKeys()];
  const name = `rekey test authority ${randomBytes(4).toString("hex")}`;
  const ca = certificate({
    issuer: name,
    subject: name,
    of: authority.publicKey,
    by: authority.privateKey,
    more: [
      extension("551d13", sequence(boolean(true)), true),
      extension("551d0f", der(0x03, Buffer.from([1, 0x06])), true),
    ],
  });
  const addresses = sequence(der(0x87, Buffer.from([127, 0, 0, 1])), der(0x82, Buffer.from("localhost")));
  const cert = certificate({
    issuer: name,
    subject: "127.0.0.1",
    of: server.publicKey,
    by: authority.privateKey,
    more: [extension("551d11", addresses)],
  });
  const key = server.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { ca: pem(ca), cert: pem(cert), key };
}

interface Content {
  readonly issuer: string;
  readonly subject: string;
  readonly of: KeyObject;
  readonly by: KeyObject;
  readonly more: readonly Buffer[];
}

const newKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

/** RFC 5280, section 4.1. */
function certificate({ issuer, subject, of, by, more }: Content): Buffer {
  const spki = of.export({ type: "spki", format: "der" });
  const keyId = createHash("sha1").update(spki).digest();
  const day = 86_400_000;
  const content = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    distinguished(issuer),
    sequence(time(Date.now() - day), time(Date.now() + 7 * day)),
    distinguished(subject),
    spki,
    der(0xa3, sequence(...more, extension("551d0e", der(0x04, keyId)))),
  );
  return sequence(content, ecdsaWithSha256, bits(sign("sha256", content, by)));
}

function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length.toString(16);
  const long = Buffer.from(size.padStart(size.length + (size.length % 2), "0"), "hex");
  const length =
    body.length < 128 ? Buffer.from([body.length]) : Buffer.concat([Buffer.from([0x80 + long.length]), long]);
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

const sequence = (...content: readonly Buffer[]): Buffer => der(0x30, ...content);
const integer = (bytes: Buffer): Buffer => der(0x02, bytes);
const boolean = (is: boolean): Buffer => der(0x01, Buffer.from([is ? 0xff : 0]));
const identifier = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const bits = (bytes: Buffer): Buffer => der(0x03, Buffer.from([0]), bytes);
const ecdsaWithSha256 = sequence(identifier("2a8648ce3d040302"));

const distinguished = (commonName: string): Buffer =>
  sequence(der(0x31, sequence(identifier("550403"), der(0x0c, Buffer.from(commonName)))));

function time(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return der(0x17, Buffer.from(digits.slice(2)));
}

const extension = (id: string, value: Buffer, isCritical = false): Buffer =>
  sequence(identifier(id), ...(isCritical ? [boolean(true)] : []), der(0x04, value));

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString("base64").replaceAll(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
