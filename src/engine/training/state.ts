import type { Checkpoint } from "../clip/checkpoint.ts";
import { readStoredFloats } from "../clip/stored-tensor.ts";
import { type Group, type Layout, LOGIT_SCALE, type Place } from "./layout.ts";

/** The weights of a group and the moments of their gradients, each one array in the order of the layout. */
export interface GroupState {
  readonly weights: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** All that training goes on from; plain data, never changed in place. */
export interface TrainingState {
  /** Steps that were made. */
  readonly step: number;
  readonly matrices: GroupState;
  readonly vectors: GroupState;
  /** Running means and variances of batch normalisation. */
  readonly statistics: Float32Array;
}

/** Training from the weights that `valuesOf` gives, each [size], with moments of zero. */
export async function startTraining(
  layout: Layout,
  valuesOf: (place: Place) => Float32Array | Promise<Float32Array>,
): Promise<TrainingState> {
  const read = async ({ places, size }: Group): Promise<Float32Array> => {
    const flat = new Float32Array(size);
    for (const place of places) flat.set(await valuesOf(place), place.offset);
    return flat;
  };
  const group = async (which: Group): Promise<GroupState> => ({
    weights: await read(which),
    first: new Float32Array(which.size),
    second: new Float32Array(which.size),
  });
  return {
    step: 0,
    matrices: await group(layout.matrices),
    vectors: await group(layout.vectors),
    statistics: await read(layout.statistics),
  };
}

/** Training from a checkpoint's weights. */
export function startFromCheckpoint(checkpoint: Checkpoint, layout: Layout): Promise<TrainingState> {
  return startTraining(layout, ({ name }) => {
    if (name === LOGIT_SCALE) return Float32Array.of(Math.log(checkpoint.logitScale));
    return readStoredFloats(checkpoint.weightsFolder, checkpoint.tensors.get(name)!);
  });
}

/** Every tensor of the model as it is now, by name: views of the state, in the layout's order. */
export function tensorsOf(
  layout: Layout,
  { matrices, vectors, statistics }: TrainingState,
): { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[] {
  const cut = ({ places }: Group, flat: Float32Array) =>
    places.map(({ name, shape, offset, size }) => ({
      name,
      shape,
      data: flat.subarray(offset, offset + size),
    }));
  return [
    ...cut(layout.matrices, matrices.weights),
    ...cut(layout.vectors, vectors.weights),
    ...cut(layout.statistics, statistics),
  ];
}
