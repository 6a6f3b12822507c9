import type { Machine } from "./machine.ts";
import { OPCODE_NAMES } from "./opcodes.ts";
import { Mapping, nameOf, Sequence, type Value } from "./values.ts";

type Instruction = (machine: Machine) => void;

/** Two values from the stack, the lower one first. */
function popPair(machine: Machine): [Value, Value] {
  const upper = machine.pop();
  return [machine.pop(), upper];
}

const tuple = (machine: Machine, items: Value[]): void => machine.push(new Sequence("tuple", items));

function popTuple(machine: Machine, length: number): void {
  tuple(machine, Array.from({ length }, () => machine.pop()).reverse());
}

/** Python 2's texts: latin1 holds every byte. */
const byteText = (machine: Machine, length: number): void =>
  machine.push(Buffer.from(machine.cursor.take(length)).toString("latin1"));

/** What each opcode that torch.save and TorchScript write does; all others are refused. */
const BY_NAME: Readonly<Record<string, Instruction>> = {
  FRAME: ({ cursor }) => {
    const length = cursor.uint64();
    cursor.take(length);
    cursor.position -= length;
  },
  MARK: (m) => m.mark(),

  NONE: (m) => m.push(null),
  NEWTRUE: (m) => m.push(true),
  NEWFALSE: (m) => m.push(false),
  BININT: (m) => m.push(m.cursor.int32()),
  BININT1: (m) => m.push(m.cursor.uint8()),
  BININT2: (m) => m.push(m.cursor.uint16()),
  LONG1: (m) => m.integer(m.cursor.uint8()),
  LONG4: (m) => m.integer(m.cursor.uint32()),
  BINFLOAT: (m) => m.push(m.cursor.float64()),

  SHORT_BINSTRING: (m) => byteText(m, m.cursor.uint8()),
  BINSTRING: (m) => byteText(m, m.cursor.uint32()),
  SHORT_BINUNICODE: (m) => m.push(m.cursor.text(m.cursor.uint8())),
  BINUNICODE: (m) => m.push(m.cursor.text(m.cursor.uint32())),
  BINUNICODE8: (m) => m.push(m.cursor.text(m.cursor.uint64())),
  SHORT_BINBYTES: (m) => m.push(Uint8Array.from(m.cursor.take(m.cursor.uint8()))),
  BINBYTES: (m) => m.push(Uint8Array.from(m.cursor.take(m.cursor.uint32()))),
  BINBYTES8: (m) => m.push(Uint8Array.from(m.cursor.take(m.cursor.uint64()))),

  EMPTY_LIST: (m) => m.push(new Sequence("list", [])),
  APPEND: (m) => m.append([m.pop()], "list"),
  APPENDS: (m) => m.append(m.popMarked(), "list"),
  LIST: (m) => m.push(new Sequence("list", m.popMarked())),
  EMPTY_TUPLE: (m) => tuple(m, []),
  TUPLE1: (m) => popTuple(m, 1),
  TUPLE2: (m) => popTuple(m, 2),
  TUPLE3: (m) => popTuple(m, 3),
  TUPLE: (m) => tuple(m, m.popMarked()),
  EMPTY_SET: (m) => m.push(new Sequence("set", [])),
  ADDITEMS: (m) => m.append(m.popMarked(), "set"),
  FROZENSET: (m) => m.push(new Sequence("set", m.popMarked())),
  EMPTY_DICT: (m) => m.push(new Mapping(false)),
  SETITEM: (m) => m.setItems(popPair(m)),
  SETITEMS: (m) => m.setItems(m.popMarked()),

  BINPUT: (m) => m.remember(m.cursor.uint8()),
  LONG_BINPUT: (m) => m.remember(m.cursor.uint32()),
  MEMOIZE: (m) => m.remember(m.memo.size),
  BINGET: (m) => m.recall(m.cursor.uint8()),
  LONG_BINGET: (m) => m.recall(m.cursor.uint32()),

  GLOBAL: (m) => m.name(m.cursor.line(), m.cursor.line()),
  STACK_GLOBAL: (m) => {
    const [module, name] = popPair(m);
    if (typeof module !== "string" || typeof name !== "string") {
      throw m.unsafe(`the pickle asks for ${nameOf(name)} in ${nameOf(module)}`);
    }
    m.name(module, name);
  },
  REDUCE: (m) => m.call(...popPair(m)),
  NEWOBJ: (m) => m.instantiate(...popPair(m)),
  BUILD: (m) => {
    const state = m.pop();
    m.build(m.top(), state);
  },
  BINPERSID: (m) => m.storage(m.pop()),
};

export const INSTRUCTIONS: ReadonlyMap<number, Instruction> = new Map(
  [...OPCODE_NAMES].flatMap(([opcode, name]) => (BY_NAME[name] ? [[opcode, BY_NAME[name]]] : [])),
);
