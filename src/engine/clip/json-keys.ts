/**
 * The keys of a JSON object at its top level, in order and with repetitions, which JSON.parse would hide.
 * `text` must be valid JSON.
 */
export function* topLevelKeys(text: string): Generator<string> {
  const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;
  let depth = 0;
  let latest = "";
  for (const [token] of text.matchAll(tokens)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (token === ":" && depth === 1) yield JSON.parse(latest) as string;
    else latest = token;
  }
}
