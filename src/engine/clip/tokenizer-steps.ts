/** What the tokenizers of CLIP models look for in a text. Any other pattern could take years over a short label. */
const PATTERNS: ReadonlySet<unknown> = new Set([
  // White space, as transformers and open_clip join it.
  "\\s+",
  // Words, as transformers writes them: on the hub, and in its own conversions.
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  // Spaces, in what SentencePiece's multilingual vocabularies are converted to.
  " {2,}",
]);

/** Far more than any tokenizer has; each goes over the whole text. */
const MOST_STEPS = 64;
/** Characters of a pattern that an error shows. */
const SHOWN = 80;

type Step = Readonly<Record<string, unknown>>;

/**
 * What makes the steps before and after tokens of a `tokenizer.json` unfit to be run on the texts of others, said as a
 * clause: an unknown regular expression, or a way to make a text grow without bounds. Undefined where nothing does.
 */
export function unsafeStep(json: unknown): string | undefined {
  const { normalizer, pre_tokenizer, decoder } = Object(json) as Step;
  const open: unknown[] = [normalizer, pre_tokenizer, decoder];
  for (let steps = 0; open.length > 0; ) {
    const step = open.pop();
    if (typeof step !== "object" || step === null) continue;
    steps += "type" in step ? 1 : 0;
    if (steps > MOST_STEPS) return `has more than ${MOST_STEPS} steps`;
    const { Regex: pattern } = step as Step;
    if (pattern !== undefined && !PATTERNS.has(pattern))
      return `has the pattern ${shown(pattern)}, which is not one of CLIP's tokenizers`;
    if (lengthens(step as Step)) return "replaces parts of a text by longer ones";
    for (const part of Object.values(step)) open.push(part);
  }
  return undefined;
}

/** Whether something in a text may be replaced by more than it is. */
function lengthens({ content, pattern, replacement }: Step): boolean {
  const { String: replaced } = Object(pattern) as Step;
  const shortest = typeof replaced === "string" ? replaced.length : 1;
  return lengthOf(content) > shortest || lengthOf(replacement) > 1;
}

const lengthOf = (text: unknown): number => (typeof text === "string" ? text.length : 0);

function shown(pattern: unknown): string {
  const text = JSON.stringify(pattern);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
