import { Cursor } from "./cursor.ts";
import { allowedGlobal } from "./globals.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { isPlainTypeState, narrow } from "./numpy.ts";
import { OPCODE_NAMES } from "./opcodes.ts";
import { damaged, type Place, quoted, unsafe } from "./refusal.ts";
import { storageOf } from "./tensors.ts";
import {
  Global,
  type Hands,
  Instance,
  Mapping,
  nameOf,
  Sequence,
  type Storage,
  type Value,
} from "./values.ts";

/** Opcodes and items of one pickle; a state_dict of a thousand tensors takes about thirty thousand. */
const MOST_STEPS = 1_000_000;
/** Marks open at one time: containers within containers. */
const MOST_MARKS = 1000;
const LONGEST_INTEGER = 64;

export interface Interpreted {
  readonly value: Value;
  /** By their key, in the order in which they were first met. */
  readonly storages: ReadonlyMap<string, Storage>;
  /** The first byte after STOP. */
  readonly end: number;
}

/**
 * Reads one pickle of protocol 2 to 5 that starts at `start`. This is no Python: a name means an entry of the
 * allow-list or nothing, a call runs a function of this program, and the opcodes are those that torch.save and
 * TorchScript write. Throws UNSAFE_ARTIFACT that names the opcode or the global, with the byte's position, for
 * everything else, and INVALID_CHECKPOINT for a stream that is broken.
 */
export function interpret(bytes: Uint8Array, place: Place, start = 0): Interpreted {
  return new Machine(new Cursor(bytes, place, start)).run();
}

/** The stack, the memo and what may be done with them; which opcode does what is in `instructions.ts`. */
export class Machine {
  readonly stack: Value[] = [];
  readonly memo = new Map<number, Value>();
  readonly storages = new Map<string, Storage>();
  private readonly marks: number[] = [];
  private opcodeName = "";
  private opcodeAt = 0;
  private steps = 0;

  constructor(readonly cursor: Cursor) {}

  run(): Interpreted {
    this.begin();
    for (;;) {
      this.opcodeAt = this.cursor.position;
      const opcode = this.cursor.uint8();
      const name = OPCODE_NAMES.get(opcode);
      if (!name) throw this.damaged(`byte ${this.opcodeAt} is ${hexadecimal(opcode)}, which is no opcode`);
      this.opcodeName = name;
      this.spend(1);
      if (name === "STOP") return this.finish();
      const instruction = INSTRUCTIONS.get(opcode);
      if (!instruction) throw this.unsafe(`the pickle uses ${name}, which torch.save never writes`);
      instruction(this);
    }
  }

  private begin(): void {
    const { cursor } = this;
    const at = cursor.position;
    const protocol = cursor.uint8() === PROTO ? cursor.uint8() : undefined;
    if (protocol !== undefined && protocol >= 2 && protocol <= 5) return;
    this.opcodeName = "PROTO";
    this.opcodeAt = at;
    throw this.unsafe("the pickle is not of protocol 2 to 5, which torch.save writes, but perhaps in text");
  }

  private finish(): Interpreted {
    const [value] = this.stack;
    if (this.stack.length === 1 && this.marks.length === 0) {
      return { value, storages: this.storages, end: this.cursor.position };
    }
    throw this.damaged(
      `the pickle stops with ${this.stack.length} values left and ${this.marks.length} marks open`,
    );
  }

  spend(steps: number): void {
    this.steps += steps;
    if (this.steps > MOST_STEPS) throw this.unsafe(`the pickle takes more than ${MOST_STEPS} steps`);
  }

  push(value: Value): void {
    this.stack.push(value);
  }

  pop(): Value {
    if (this.stack.length <= (this.marks.at(-1) ?? 0))
      throw this.damaged("an opcode finds no value on the stack");
    return this.stack.pop()!;
  }

  /** The value on top of the stack, or below the open mark's values if those are taken already. */
  top(): Value {
    const value = this.pop();
    this.stack.push(value);
    return value;
  }

  mark(): void {
    if (this.marks.length === MOST_MARKS)
      throw this.unsafe(`the pickle nests deeper than ${MOST_MARKS} levels`);
    this.marks.push(this.stack.length);
  }

  /** The values since the latest mark. */
  popMarked(): Value[] {
    const start = this.marks.pop();
    if (start === undefined) throw this.damaged("an opcode finds no mark on the stack");
    return this.stack.splice(start);
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.damaged(`the memo has no entry ${index}`);
    this.push(value);
  }

  name(module: string, name: string): void {
    const found = allowedGlobal(module, name);
    if (!found) {
      const path = `${module}.${name}`;
      throw this.unsafe(`the pickle asks for ${quoted(path)}`, { global: quoted(path).slice(1, -1) });
    }
    this.push(found);
  }

  call(callee: Value, args: Value): void {
    if (!(callee instanceof Global) || callee.role.kind !== "function") {
      throw this.unsafe(`the pickle calls ${nameOf(callee)}, which is no function of the allow-list`);
    }
    if (!(args instanceof Sequence) || args.kind !== "tuple") {
      throw this.damaged(`${callee.name} is called with no tuple`);
    }
    this.push(callee.role.call(args.items, this.handsOf(callee.name)));
  }

  instantiate(type: Value, args: Value): void {
    if (!(type instanceof Global) || type.role.kind !== "class") {
      throw this.unsafe(`the pickle instantiates ${nameOf(type)}, which is no class of the allow-list`);
    }
    if (!(args instanceof Sequence) || args.kind !== "tuple" || args.items.length > 0) {
      throw this.unsafe(`the pickle gives ${type.name} arguments`, { global: type.name });
    }
    this.push(new Instance(type.name));
  }

  build(target: Value, state: Value): void {
    if (target instanceof Instance) {
      if (isPlainTypeState(target, state)) return;
      if (!target.attributes && state instanceof Mapping && this.hasOnlyAttributes(state)) {
        target.attributes = state;
        return;
      }
    }
    // PyTorch keeps the versions of modules in an attribute of the state_dict; nothing here needs them.
    const isOrdered = target instanceof Mapping && target.ordered;
    if (isOrdered && state instanceof Mapping && isOnlyMetadata(state)) return;
    throw this.unsafe(`the pickle sets the state of ${nameOf(target)} to ${nameOf(state)}`);
  }

  storage(id: Value): void {
    const storage = storageOf(id);
    if (!storage) throw this.unsafe("the pickle has a persistent id that is not a tensor's storage");
    const known = this.storages.get(storage.key) ?? storage;
    if (known.type !== storage.type || known.elements !== storage.elements) {
      throw this.damaged(`the storage ${quoted(storage.key)} is described in two ways`);
    }
    this.storages.set(storage.key, known);
    this.push(known);
  }

  append(items: readonly Value[], kind: "list" | "set"): void {
    const target = this.top();
    if (!(target instanceof Sequence) || target.kind !== kind) {
      throw this.unsafe(`the pickle adds items to ${nameOf(target)}, which is no ${kind}`);
    }
    for (const item of items) target.items.push(item);
  }

  setItems(pairs: readonly Value[]): void {
    const target = this.top();
    if (!(target instanceof Mapping)) {
      throw this.unsafe(`the pickle sets items of ${nameOf(target)}, which is no dictionary`);
    }
    if (pairs.length % 2 === 1) throw this.damaged("a dictionary has a key without a value");
    if (!target.keeps) return;
    for (let index = 0; index < pairs.length; index += 2) {
      const key = pairs[index];
      if (typeof key !== "string" && !Number.isSafeInteger(key)) {
        throw this.damaged(`a dictionary has ${nameOf(key)} as a key; only texts and whole numbers are read`);
      }
      // A second value would hide the first, so that two readers could see two models in one file.
      if (target.entries.has(key as string)) throw this.unsafe(`the key ${quoted(String(key))} is set twice`);
      target.entries.set(key as string | number, pairs[index + 1]);
    }
  }

  integer(length: number): void {
    if (length > LONGEST_INTEGER) throw this.unsafe(`the pickle has an integer of ${length} bytes`);
    const bytes = this.cursor.take(length);
    const value = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
    this.push(narrow(BigInt.asIntN(length * 8, value)));
  }

  /** Attributes of an inert object are plain names; __class__ and its like mean something to Python. */
  private hasOnlyAttributes({ entries }: Mapping): boolean {
    this.spend(entries.size);
    return [...entries.keys()].every((name) => typeof name === "string" && !/^__.*__$/.test(name));
  }

  damaged(problem: string): Error {
    return damaged(this.cursor.place, this.located(problem), this.facts());
  }

  unsafe(problem: string, facts: Record<string, unknown> = {}): Error {
    return unsafe(this.cursor.place, this.located(problem), { ...this.facts(), ...facts });
  }

  private handsOf(callee: string): Hands {
    return {
      spend: (steps) => this.spend(steps),
      damaged: (problem) =>
        damaged(this.cursor.place, this.located(`${callee} ${problem}`), this.facts(callee)),
      unsafe: (problem) =>
        unsafe(this.cursor.place, this.located(`${callee} ${problem}`), this.facts(callee)),
    };
  }

  private located(problem: string): string {
    return `${problem} (opcode ${this.opcodeName || "none"} at byte ${this.opcodeAt})`;
  }

  private facts(global?: string): Record<string, unknown> {
    const place = { opcode: this.opcodeName, position: this.opcodeAt };
    return global === undefined ? place : { ...place, global };
  }
}

const PROTO = 0x80;

const hexadecimal = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`;

const isOnlyMetadata = ({ entries }: Mapping): boolean => entries.size === 1 && entries.has("_metadata");
