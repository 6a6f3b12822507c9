import { AppError } from "../../errors.ts";

/** A repository of the hub at a revision, and a folder or file in it. */
export interface HubAddress {
  /** "owner/name". */
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** Within the repository, "/" between folders; empty for all of it. */
  readonly path: string;
}

const SCHEME = "hf:";
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;

export const isHubAddress = (source: string): boolean => source.startsWith(SCHEME);

/**
 * `hf:owner/name[@revision][/path]`; a slash within the revision is written %2F. Fails with BAD_USER_INPUT that shows
 * the form.
 */
export function parseHubAddress(source: string): HubAddress {
  const text = source.slice(SCHEME.length);
  const match = /^([^/@]+)\/([^/@]+)(?:@([^/]+))?(?:\/(.*))?$/.exec(text);
  if (!match) throw malformed(source, "it is not OWNER/NAME");
  const [, owner, name, rawRevision = "main", path = ""] = match;
  const revision = rawRevision.replaceAll(/%2f/gi, "/");
  if (![owner, name].every((part) => PART.test(part!) && !part!.includes("..")))
    throw malformed(source, "a name has letters, digits, dots, dashes and underscores");
  if (!REVISION.test(revision) || revision.includes(".."))
    throw malformed(source, `"${revision}" is not a branch, tag or commit`);
  const folder = path.replace(/\/+$/, "");
  if (folder && !isPlainPath(folder)) throw malformed(source, `"${folder}" is not a path in a repository`);
  return { repository: `${owner}/${name}`, revision, path: folder };
}

/** Whether a repository's file name stays within the folder it is written to, on every operating system. */
export function isPlainPath(path: string): boolean {
  if (path.length === 0 || path.length > 400) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  if (/[\u0000-\u001f\u007f\\:]/.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function malformed(source: string, problem: string): AppError {
  const message = `"${source.slice(0, 200)}" cannot be read: ${problem}. Write hf:OWNER/NAME, hf:OWNER/NAME@REVISION or hf:OWNER/NAME@REVISION/FOLDER.`;
  return new AppError("BAD_USER_INPUT", message, { source: source.slice(0, 200) });
}
