import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { askedBy, type Asked } from "./asked.ts";
import { authenticate } from "./authenticate.ts";
import { makeCertificates } from "./authority.ts";
import type { AwsKeys } from "./clients.ts";
import { AwsFault, sharedFault } from "./fault.ts";
import { Identities, type FakeKey, type KeyStatus } from "./identities.ts";
import type { Interference, LoggedCall } from "./interference.ts";
import { keyHistory, type KeyMoment } from "./key-history.ts";
import { perform } from "./perform.ts";
import { everything, readPolicy } from "./policy.ts";
import { Secrets } from "./secrets.ts";
import { holderOf, type SecretVersion } from "./secret-versions.ts";
import { seeded } from "./random.ts";
import { nastyByDefault, type FakeAwsSettings } from "./settings.ts";
import { claimedBy, type SignedRequest } from "./signature.ts";
import { Staleness } from "./staleness.ts";
import { xmlFault } from "./xml.ts";

const certificates = makeCertificates();

/**
 * A strict stand-in for IAM, STS and Secrets Manager of one account: signatures are verified, refusals are AWS's, and
 * it is as slow to agree with itself as AWS is. What is asked of it here is what is, not what an endpoint knows.
 */
export class FakeAws {
  readonly ca = certificates.ca;
  /** How much trouble there is may change later; how late it is was settled at the start. */
  settings: FakeAwsSettings;
  readonly identities: Identities;
  readonly secrets: Secrets;
  readonly calls: LoggedCall[] = [];
  /** May be set by a test; asked of every call that has been let in. */
  interfere: (asked: Asked) => Interference | undefined = () => undefined;
  /** How far the service's clock is ahead of the one that its callers sign by. */
  clockOffsetMs = 0;
  #url = "";
  readonly #staleness: Staleness;
  readonly #server = createServer(certificates, (incoming, outgoing) => {
    this.#serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  private constructor(settings: FakeAwsSettings) {
    this.settings = settings;
    this.#staleness = new Staleness(settings, seeded(settings.seed));
    this.identities = new Identities(this.#staleness, settings);
    this.secrets = new Secrets(this.identities.account, this.#staleness, settings);
  }

  static async start(settings: Partial<FakeAwsSettings> = {}): Promise<FakeAws> {
    const fake = new FakeAws({ ...nastyByDefault, ...settings });
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    fake.#url = `https://127.0.0.1:${(fake.#server.address() as AddressInfo).port}`;
    return fake;
  }

  get url(): string {
    return this.#url;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** May do everything unless policies are given, each a document of IAM. Returns the ARN. */
  addUser(name: string, policies: readonly unknown[] = [everything], path = "/"): string {
    return this.identities.addUser(name, path, policies.map(readPolicy)).arn;
  }

  setPolicies(userName: string, policies: readonly unknown[]): void {
    this.identities.user(userName).policies = policies.map(readPolicy);
  }

  /** A key that was there before, known everywhere. */
  addKey(userName: string, status: KeyStatus = "Active"): AwsKeys {
    const key = this.identities.seedKey(this.identities.user(userName), status);
    return { accessKeyId: key.id, secretAccessKey: key.secret };
  }

  /** Temporary credentials, as a role gives them. */
  addSession(userName: string, lastsMs: number): AwsKeys {
    const key = this.identities.seedSession(this.identities.user(userName), lastsMs);
    return { accessKeyId: key.id, secretAccessKey: key.secret, sessionToken: key.session?.token ?? "" };
  }

  /** Those that exist, oldest first, inactive ones too. */
  keysOf(userName: string): readonly { readonly id: string; readonly status: KeyStatus; readonly key: FakeKey }[] {
    return this.identities.keysOf(userName).flatMap((key) => {
      const status = key.login.truth();
      return status === undefined ? [] : [{ id: key.id, status, key }];
    });
  }

  tagsOf(userName: string): Readonly<Record<string, string>> {
    return Object.fromEntries(this.identities.user(userName).tags.truth());
  }

  /** Whether the key works, whatever an endpoint knows of it yet. */
  acceptsNow(keyId: string, secret: string): boolean {
    const key = this.identities.key(keyId);
    return key?.secret === secret && key.login.truth() === "Active";
  }

  historyOf(userName: string): readonly KeyMoment[] {
    return keyHistory(this.identities, this.#staleness, userName);
  }

  /** The version that has the stage, however it is marked; undefined when there is none. */
  versionOf(region: string, secretId: string, stage = "AWSCURRENT"): SecretVersion | undefined {
    const secret = this.secrets.find(region, secretId);
    return secret === undefined ? undefined : holderOf(secret.versions, stage);
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = "", headers } = incoming;
    const request = { method, headers, body: Buffer.concat(chunks).toString() };
    const asked = method === "POST" && incoming.url === "/" ? askedBy(request) : undefined;
    outgoing.setHeader("date", new Date(Date.now() + this.clockOffsetMs).toUTCString());
    if (asked === undefined) {
      outgoing.writeHead(404).end();
      return;
    }
    const requestId = randomUUID();
    const answer = await this.#answer(request, asked, requestId);
    const { status, type, body, outcome, isApplied, isLost } = answer;
    const claimed = claimedBy(request);
    const { service, action, fields } = asked;
    const who = { accessKeyId: claimed?.accessKeyId, region: claimed?.region };
    this.calls.push({ atMs: Date.now(), service, action, fields, ...who, outcome, isApplied, isAnswered: !isLost });
    if (isLost) outgoing.destroy();
    else outgoing.writeHead(status, { "content-type": type, "x-amzn-requestid": requestId }).end(body);
  }

  async #answer(request: SignedRequest, asked: Asked, requestId: string) {
    const { protocol } = asked;
    const type = protocol === "json" ? "application/x-amz-json-1.1" : "text/xml";
    let [isApplied, isLost] = [false, false];
    try {
      const call = this.#letIn(request, asked);
      const interference = this.interfere(asked);
      if (interference !== undefined && "answer" in interference) throw interference.answer;
      if (interference !== undefined && "hold" in interference) await interference.hold;
      const isFailing = this.#staleness.happens(this.settings.failures);
      const failure = sharedFault("broken", protocol, "The request processing has failed.");
      if (isFailing && this.#staleness.happens(0.5)) throw failure;
      const body = perform(asked, request.body, call, requestId);
      isApplied = true;
      if (isFailing || (interference !== undefined && "failAfterwards" in interference)) throw failure;
      isLost = interference !== undefined && "loseAnswer" in interference;
      isLost ||= this.#staleness.happens(this.settings.lostAnswers);
      return { status: 200, type, body, outcome: "ok", isApplied, isLost };
    } catch (error) {
      if (!(error instanceof AwsFault)) throw error;
      const body = faultBody(asked, error, requestId);
      return { status: error.status, type, body, outcome: error.code, isApplied, isLost };
    }
  }

  #letIn(request: SignedRequest, asked: Asked) {
    const endpoint = this.#staleness.endpoint();
    const { service, protocol } = asked;
    // IAM is one for all regions. https://docs.aws.amazon.com/general/latest/gr/iam-service.html
    const regions = service === "iam" ? ["us-east-1"] : this.settings.regions;
    const { clockOffsetMs } = this;
    const nowMs = this.#staleness.nowMs();
    const where = { endpoint, service, regions, protocol, nowMs, clockOffsetMs };
    const caller = authenticate(request, this.identities, where);
    if (this.#staleness.happens(this.settings.throttling)) throw sharedFault("throttled", protocol, "Rate exceeded");
    const { identities, secrets, settings } = this;
    return { caller, endpoint, identities, secrets, staleness: this.#staleness, settings };
  }
}

function faultBody({ service }: Asked, fault: AwsFault, requestId: string): string {
  return service === "secretsmanager"
    ? JSON.stringify({ __type: fault.code, Message: fault.message })
    : xmlFault(service, fault, requestId);
}
