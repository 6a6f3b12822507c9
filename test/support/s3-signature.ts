import { createHash, createHmac } from "node:crypto";

/** What a signature (AWS Signature Version 4, in a header) is made of. */
export interface SignedRequest {
  readonly method: string;
  /** As it was sent: the path, encoded, and the query without "?". */
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/;

/** Who has signed, and whether with that secret. Undefined for a request that is not signed, or not in this way. */
export function verify(request: SignedRequest, secretOf: (account: string) => string | undefined) {
  const found = AUTHORIZATION.exec(String(request.headers.authorization));
  if (!found) return undefined;
  const [, account, day, region, signedHeaders, signature] = found;
  const secret = secretOf(account);
  const names = signedHeaders.split(";");
  const bound = ["host", "x-amz-date", "x-amz-content-sha256"].every((name) => names.includes(name));
  const expected = secret === undefined ? "" : sign(request, { secret, day, region, names });
  return { account, matches: bound && expected === signature };
}

export function sign(
  { method, path, query, headers }: SignedRequest,
  { secret, day, region, names }: { secret: string; day: string; region: string; names: readonly string[] },
): string {
  const canonical = [
    method,
    path,
    query.split("&").sort().join("&"),
    ...names.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    headers["x-amz-content-sha256"],
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, text).toString("hex");
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
