/** Tasks for a `WorkerPool`: rendering, off the thread that trains. */
import { renderScene } from "./render.ts";
import { SCENE_SIDE, type Scene } from "./scene.ts";

/** The bytes of some scenes, one after the other. */
export async function renderScenes(scenes: readonly Scene[]): Promise<Uint8Array> {
  const bytes = new Uint8Array(scenes.length * SCENE_SIDE * SCENE_SIDE * 3);
  for (const [index, scene] of scenes.entries())
    bytes.set(await renderScene(scene), index * SCENE_SIDE * SCENE_SIDE * 3);
  return bytes;
}
