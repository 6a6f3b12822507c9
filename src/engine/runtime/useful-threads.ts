import { costOf } from "../onnx/cost.ts";
import type { Program } from "./program.ts";

/** Operations of a run below which more threads than one wait for each other longer than they compute. */
const SHORT_FLOPS = 1e9;

/** How many of the threads make a program's runs sooner: all, or one where a run is short. */
export const usefulThreads = ({ graph }: Program, threads: number): number =>
  threadsFor(costOf(graph).flops, threads);

/** The same for runs of so many operations. */
export const threadsFor = (flops: number, threads: number): number => (flops < SHORT_FLOPS ? 1 : threads);
