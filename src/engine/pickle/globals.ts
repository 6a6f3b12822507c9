import { numpyScalar, numpyType } from "./numpy.ts";
import { rebuildParameter, rebuildTensor, rebuildTensorV2, STORAGES } from "./tensors.ts";
import { Global, type Hands, Mapping, type Role, Sequence, type Value } from "./values.ts";

/**
 * The allow-list: everything of Python's world that a pickle may name. What stands behind a name is a function of
 * this program that builds plain data; no name is looked up anywhere else. Undefined for every other name.
 */
export function allowedGlobal(module: string, name: string): Global | undefined {
  // A space cannot be part of either, so that no other division of a dotted path means the same entry.
  if (module.includes(" ") || name.includes(" ")) return undefined;
  const role = ROLES.get(`${module} ${name}`) ?? (isScripted(module, name) ? CLASS : undefined);
  return role && new Global(`${module}.${name}`, role);
}

/** The classes that TorchScript made for a module; their code, elsewhere in the archive, is never read. */
const isScripted = (module: string, name: string): boolean =>
  /^__torch__(\.[A-Za-z_]\w*)*$/.test(module) && /^[A-Za-z_]\w*$/.test(name);

const CLASS: Role = { kind: "class" };
const CONSTANT: Role = { kind: "constant" };

const calls = (call: (args: readonly Value[], hands: Hands) => Value): Role => ({ kind: "function", call });

const ELEMENT_TYPES =
  "float16 float32 float64 bfloat16 half float double int8 int16 int32 int64 uint8 short int long bool";

/** What trainers save beside the weights when a scheduler refers to another one, and that to an optimiser. */
const TRAINING_CLASSES = [
  ...["CosineAnnealingLR", "MultiStepLR", "StepLR"].map((name) => `torch.optim.lr_scheduler ${name}`),
  ...["sgd SGD", "adam Adam", "adamw AdamW", "rmsprop RMSprop"].map((name) => `torch.optim.${name}`),
];

const ROLES: ReadonlyMap<string, Role> = new Map([
  ["torch._utils _rebuild_tensor", calls(rebuildTensor)],
  ["torch._utils _rebuild_tensor_v2", calls(rebuildTensorV2)],
  ["torch._utils _rebuild_parameter", calls(rebuildParameter)],
  ["torch Size", calls(onlySequence("tuple"))],
  ["torch device", calls(device)],
  ...Object.entries(STORAGES).flatMap(([name, type]): [string, Role][] => [
    [`torch ${name}`, { kind: "storage", type }],
    [`torch.cuda ${name}`, { kind: "storage", type }],
  ]),
  ...ELEMENT_TYPES.split(" ").map((name): [string, Role] => [`torch ${name}`, CONSTANT]),
  ["torch.jit._pickle build_intlist", calls(onlySequence("list"))],
  ["torch.jit._pickle build_doublelist", calls(onlySequence("list"))],
  ["torch.jit._pickle build_boollist", calls(onlySequence("list"))],
  ["torch.jit._pickle build_tensorlist", calls(onlySequence("list"))],
  ["torch.jit._pickle restore_type_tag", calls(typeTag)],
  ["collections OrderedDict", calls(orderedDictionary)],
  ["collections Counter", calls(counter)],
  ["__builtin__ set", calls(onlySequence("set"))],
  ["builtins set", calls(onlySequence("set"))],
  ["__builtin__ frozenset", calls(onlySequence("set"))],
  ["builtins frozenset", calls(onlySequence("set"))],
  ["_codecs encode", calls(latin1)],
  ["collections defaultdict", calls(defaultDictionary)],
  ["__builtin__ dict", CONSTANT],
  ["builtins dict", CONSTANT],
  ["argparse Namespace", CLASS],
  ...TRAINING_CLASSES.map((name): [string, Role] => [name, CLASS]),
  ["numpy dtype", calls(numpyType)],
  ["numpy.core.multiarray scalar", calls(numpyScalar)],
  ["numpy._core.multiarray scalar", calls(numpyScalar)],
]);

/** A function of one sequence that gives the same items as a sequence of this kind. */
function onlySequence(kind: Sequence["kind"]): (args: readonly Value[], hands: Hands) => Sequence {
  return (args, hands) => {
    const [sequence] = args;
    if (args.length !== 1 || !(sequence instanceof Sequence)) {
      throw hands.damaged("is called with something that is no list");
    }
    hands.spend(sequence.items.length);
    return new Sequence(kind, sequence.items);
  };
}

/** OrderedDict(pairs?), each pair a list or tuple of key and value. */
function orderedDictionary(args: readonly Value[], hands: Hands): Mapping {
  const result = new Mapping(true);
  const [pairs] = args;
  if (args.length === 0) return result;
  if (args.length !== 1 || !(pairs instanceof Sequence)) throw hands.damaged("is called with something odd");
  hands.spend(pairs.items.length);
  for (const pair of pairs.items) {
    const [key, value] = pair instanceof Sequence && pair.items.length === 2 ? pair.items : [];
    if (typeof key !== "string" || value === undefined) throw hands.damaged("is called with something odd");
    result.entries.set(key, value);
  }
  return result;
}

/** defaultdict(dict) is how an optimiser keeps what it knows of each parameter; nothing here needs it. */
function defaultDictionary(args: readonly Value[], hands: Hands): Mapping {
  const [factory] = args;
  const isPlain = factory instanceof Global && factory.name.endsWith(".dict");
  if (args.length === 1 && isPlain) return new Mapping(false, { keeps: false });
  throw hands.unsafe("is called with something that is not dict");
}

/** Counter(counts) is the dictionary that it is given. */
function counter(args: readonly Value[], hands: Hands): Mapping {
  const [counts] = args;
  if (args.length === 1 && counts instanceof Mapping) return counts;
  throw hands.damaged("is called with something that is no dictionary");
}

/** torch.device("cuda", 0) is the text "cuda:0". */
function device(args: readonly Value[], hands: Hands): string {
  const [type, index] = args;
  if (typeof type === "string" && type.length < 100) {
    if (args.length === 1) return type;
    if (args.length === 2 && typeof index === "number") return `${type}:${index}`;
  }
  throw hands.damaged("is called with something that is no device");
}

/** restore_type_tag(value, "List[Tensor]") is the value. */
function typeTag(args: readonly Value[], hands: Hands): Value {
  if (args.length === 2 && typeof args[1] === "string") return args[0];
  throw hands.damaged("is called with something that is no value and type");
}

/** encode(text, "latin1") is how protocol 2 spells bytes. */
function latin1(args: readonly Value[], hands: Hands): Uint8Array {
  const [text, encoding] = args;
  if (args.length !== 2 || typeof text !== "string" || encoding !== "latin1") {
    throw hands.damaged("is called with something that is no text in latin1");
  }
  hands.spend(text.length);
  return Uint8Array.from(text, (character) => {
    const code = character.codePointAt(0)!;
    if (code > 0xff) throw hands.damaged("is called with something that is no text in latin1");
    return code;
  });
}
