import { z } from "zod";
import { AppError } from "../../errors.ts";
import { type HubAddress, isPlainPath } from "./address.ts";
import type { HubRequests, HubResponse } from "./requests.ts";

/** A file of a repository, and what its bytes must be. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  readonly digest: FileDigest;
}

/** Large files are known by their SHA-256, small ones by git's own SHA-1 of "blob SIZE\0" and the content. */
export interface FileDigest {
  readonly kind: "sha256" | "git";
  /** Hexadecimal. */
  readonly value: string;
}

export interface HubListing {
  readonly repository: string;
  /** The commit that the revision was resolved to. */
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${length}}$`));
const size = z.number().int().nonnegative();

const answer = z.object({
  sha: hex(40),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: size.optional(),
      blobId: hex(40).optional(),
      lfs: z.object({ sha256: hex(64), size }).nullish(),
    }),
  ),
});

/**
 * The files of a repository at a revision. Fails with NOT_FOUND, with FORBIDDEN for a repository that needs a token,
 * with UNSAFE_ARTIFACT for file names that leave a folder, and with DOWNLOAD_FAILED.
 */
export async function listRepository(requests: HubRequests, address: HubAddress): Promise<HubListing> {
  const { repository, revision } = address;
  const url = requests.url(`api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`);
  const body = await requests.persist(`Listing ${repository}`, async () => {
    const response = await requests.get(url);
    if (response.status === 200) return response.json();
    await response.discard();
    throw refusal(response, requests, address);
  });
  const { data, success } = answer.safeParse(body);
  if (!success)
    throw new AppError(
      "DOWNLOAD_FAILED",
      `${requests.endpoint.host} does not answer like a hub of models. Check HF_ENDPOINT.`,
    );
  return { repository, commit: data.sha, files: data.siblings.flatMap(describe) };
}

function describe({
  rfilename: path,
  size: bytes,
  blobId,
  lfs,
}: z.infer<typeof answer>["siblings"][number]): HubFile[] {
  if (!isPlainPath(path))
    throw new AppError(
      "UNSAFE_ARTIFACT",
      `The repository lists a file named ${JSON.stringify(path.slice(0, 120))}, which would leave its folder. Do not use this repository.`,
      { file: path.slice(0, 120) },
    );
  if (lfs) return [{ path, bytes: lfs.size, digest: { kind: "sha256", value: lfs.sha256 } }];
  if (bytes === undefined || blobId === undefined) return [];
  return [{ path, bytes, digest: { kind: "git", value: blobId } }];
}

/** What a hub means by an answer that is not 200, and what to do about it. */
export function refusal(
  { status, headers }: HubResponse,
  requests: HubRequests,
  { repository, revision }: HubAddress,
): AppError {
  const page = requests.url(repository).href;
  const code = headers.get("x-error-code") ?? "";
  const facts = { repository, status };
  if (code === "GatedRepo" || status === 403)
    return new AppError(
      "FORBIDDEN",
      `${repository} is gated. Accept its conditions at ${page}, make a token that may read it, and set HF_TOKEN to the token${requests.hasToken ? " (the one that is set has no access)" : ""}.`,
      facts,
    );
  if (status === 401)
    return new AppError(
      "FORBIDDEN",
      requests.hasToken
        ? `The hub does not accept HF_TOKEN for ${repository}. Check the token, and the repository's name at ${page}.`
        : `${repository} does not exist, or is private. Check its name at ${page}; for a private repository set HF_TOKEN.`,
      facts,
    );
  if (status === 404 && (code === "RevisionNotFound" || code === "EntryNotFound"))
    return new AppError(
      "NOT_FOUND",
      code === "RevisionNotFound"
        ? `${repository} has no revision "${revision}". See its branches and tags at ${page}.`
        : `${repository} no longer has a file that it listed. Run the command again.`,
      facts,
    );
  if (status === 404)
    return new AppError(
      "NOT_FOUND",
      `The hub has no repository ${repository}. Check its name at ${page}.`,
      facts,
    );
  return new AppError(
    "DOWNLOAD_FAILED",
    `The hub answered ${status} for ${repository}. Try again later.`,
    facts,
  );
}
