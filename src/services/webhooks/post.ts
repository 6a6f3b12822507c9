import { lookup } from "node:dns";
import { lookup as resolve } from "node:dns/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { AppError } from "../../errors.ts";
import { isPrivateAddress } from "./private-addresses.ts";

const LONGEST_URL = 2_000;
const ANSWER_MILLISECONDS = 10_000;
/** Whoever makes a webhook is not kept waiting for a slow resolver: addresses are checked at every delivery too. */
const RESOLVE_MILLISECONDS = 2_000;

const forbidden = (message: string): AppError =>
  new AppError("VALIDATION_FAILED", message, { path: ["url"] });

/** Sends what webhooks are told, and sees to where: nothing of it ever reaches a private network by mistake. */
export class WebhookPost {
  /** @param allowedHosts hosts that the operator trusts: they may be private, and be asked without TLS. */
  constructor(
    private readonly allowedHosts: ReadonlySet<string>,
    private readonly answerMilliseconds = ANSWER_MILLISECONDS,
    private readonly addressesOf: (host: string) => Promise<readonly string[]> = resolved,
  ) {}

  /**
   * As `check`, for a URL that is new: fails also for a name that stands for private addresses alone right now. One
   * that stands for nothing yet may do so later.
   */
  async admit(text: string): Promise<void> {
    const host = hostOf(this.check(text));
    if (this.allowedHosts.has(host)) return;
    if (LOCAL_NAME.test(host)) throw unreachable(host);
    const late = pause(RESOLVE_MILLISECONDS, [], { ref: false });
    const addresses = await Promise.race([this.addressesOf(host).catch(() => []), late]);
    if (addresses.length > 0 && !addresses.some((address) => this.mayReach(host, address)))
      throw unreachable(host);
  }

  /** Fails with VALIDATION_FAILED for a URL to which nothing may be sent. What its name stands for is checked when it is sent. */
  check(text: string): URL {
    if (text.length > LONGEST_URL || !URL.canParse(text))
      throw forbidden(`A webhook's URL is an absolute one of at most ${LONGEST_URL} characters.`);
    const url = new URL(text);
    const host = hostOf(url);
    if (url.username !== "" || url.password !== "")
      throw forbidden("A webhook's URL holds no user or password.");
    if (this.allowedHosts.has(host) && url.protocol === "http:") return url;
    if (url.protocol === "http:") throw withoutTls(host);
    if (url.protocol !== "https:") throw forbidden("A webhook's URL begins with https://.");
    if (isIP(host) !== 0 && !this.mayReach(host, host)) throw unreachable(host);
    return url;
  }

  /**
   * The status of the answer, whose body is not read. Redirects are not followed. Fails when there is no answer in
   * time, and for a host that stands for a private address at this very moment.
   */
  send(text: string, headers: Readonly<Record<string, string>>, body: string): Promise<number> {
    const url = this.check(text);
    const request = url.protocol === "https:" ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        url,
        {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "content-length": String(Buffer.byteLength(body)),
            "user-agent": "antidote",
            ...headers,
          },
          agent: false,
          lookup: this.vettedLookup,
          signal: AbortSignal.timeout(this.answerMilliseconds),
        },
        (answer) => {
          resolve(answer.statusCode ?? 0);
          answer.destroy();
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }

  /** The connection is made to the very addresses that were checked, so a name that changes in between gains nothing. */
  private readonly vettedLookup: LookupFunction = (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const reachable = addresses.filter(({ address }) => this.mayReach(host, address));
      if (reachable.length === 0) return callback(unreachable(host), []);
      if (options.all) return callback(null, reachable);
      callback(null, reachable[0].address, reachable[0].family);
    });
  };

  private mayReach(host: string, address: string): boolean {
    return this.allowedHosts.has(host) || !isPrivateAddress(address);
  }
}

const unreachable = (host: string): AppError =>
  forbidden(
    `"${host}" ${isIP(host) === 0 ? "stands for" : "is"} an address of a private network. The operator can allow it (WEBHOOK_HOSTS).`,
  );

const withoutTls = (host: string): AppError =>
  forbidden(
    `A webhook's URL begins with https://. The operator can allow "${host}" without TLS (WEBHOOK_HOSTS).`,
  );

/** Names that stand for the machine itself, whatever a resolver says of them: RFC 6761. */
const LOCAL_NAME = /(^|\.)localhost\.?$/;

const resolved = async (host: string): Promise<string[]> =>
  (await resolve(host, { all: true })).map(({ address }) => address);

/** Without the brackets that an IPv6 address has in a URL. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1");
