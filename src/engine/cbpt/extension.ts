import type { FrozenPrompts } from "./extension-tower.ts";
import type { Problem } from "./problem.ts";
import { type Purification, startPurification, stepPurification } from "./purification.ts";
import type { Workbench } from "./workbench.ts";

/**
 * A class is added to prompts that are purified already: the search for triggers looks at all classes, the new one
 * among them, and the tuning that follows changes the new class's context vectors alone. The state is a purification's.
 */
export const startExtension = (problem: Problem, frozen: FrozenPrompts): Purification =>
  freeze(startPurification(problem), frozen);

/** One step; `bench` has the same frozen prompts. */
export const stepExtension = async (
  bench: Workbench,
  state: Purification,
  frozen: FrozenPrompts,
): Promise<Purification> => freeze(await stepPurification(bench, state), frozen);

/** With the frozen classes' contexts as they were, whatever the optimiser made of a gradient of zero. */
function freeze(state: Purification, { contexts: frozen }: FrozenPrompts): Purification {
  if (state.phase === "audit") return state;
  const contexts = state.tuning.contexts.slice();
  contexts.set(frozen);
  return { ...state, tuning: { ...state.tuning, contexts } };
}
