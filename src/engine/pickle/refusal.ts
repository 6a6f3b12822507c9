import { AppError } from "../../errors.ts";

/** Which bytes are being read: a file, and where it is an archive the entry within it. */
export interface Place {
  /** The file's name, without its folder. */
  readonly file: string;
  readonly entry?: string;
}

/** UNSAFE_ARTIFACT for what could run or hide something; `problem` is a clause that names it. */
export function unsafe(place: Place, problem: string, facts: Record<string, unknown> = {}): AppError {
  const message = `${describe(place)}: ${problem}. Nothing of it was run. Trust this file nowhere; ask its maker for safetensors, or for a plain state_dict as torch.save writes it.`;
  return new AppError("UNSAFE_ARTIFACT", message, { ...place, ...facts });
}

/** INVALID_CHECKPOINT for what is broken, or is no PyTorch file; `problem` is a clause that names it. */
export function damaged(place: Place, problem: string, facts: Record<string, unknown> = {}): AppError {
  const message = `${describe(place)}: ${problem}. Copy the file again, or save the model's state_dict again with torch.save.`;
  return new AppError("INVALID_CHECKPOINT", message, { ...place, ...facts });
}

/** A text from the file, quoted, of bounded length and without control characters. */
export function quoted(text: string): string {
  const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  return `"${shown.replace(/[^\x20-\x7e\u00a1-\u024f\u0370-\u1fff\u3040-\ud7ff…]/g, "�")}"`;
}

const describe = ({ file, entry }: Place): string =>
  entry === undefined ? quotedName(file) : `${quotedName(file)} (${quotedName(entry)})`;

const quotedName = (text: string): string => quoted(text).slice(1, -1);
