import { ERROR_CODES } from "../../src/errors.ts";

const EXPECTED: ReadonlySet<string> = new Set(ERROR_CODES.filter((code) => code !== "INTERNAL"));

interface Reported {
  readonly extensions?: { readonly code?: unknown };
}

/** What is wrong with an answer to a malformed request, if anything is. */
export function wrongAnswer(status: number, body: string): string | undefined {
  const errors = errorsIn(body);
  const untyped = errors.find(({ extensions }) => !EXPECTED.has(String(extensions?.code)));
  if (untyped !== undefined) return `status ${status} with ${JSON.stringify(untyped).slice(0, 300)}`;
  if (status >= 400 && errors.length === 0) return `status ${status} without a code: ${body.slice(0, 200)}`;
  return undefined;
}

/** Of one JSON answer, or of each in a stream of events or parts. */
export function errorsIn(body: string): readonly Reported[] {
  const lines = body.startsWith("{")
    ? [body]
    : body.split(/\r?\n/).map((line) => line.replace(/^data: ?/, ""));
  return lines.flatMap((line) => {
    try {
      const answer = JSON.parse(line) as { errors?: readonly Reported[]; payload?: unknown } | null;
      if (Array.isArray(answer?.payload)) return answer.payload as Reported[];
      return (
        answer?.errors ?? (answer?.payload as { errors?: readonly Reported[] } | undefined)?.errors ?? []
      );
    } catch {
      return [];
    }
  });
}
