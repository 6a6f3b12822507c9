import { answersWithSecondLook } from "../../src/engine/second-look/answers.ts";
import { modelFolder, need, type Performer } from "./context.ts";
import { readAnswering } from "./defend.ts";
import { openEncoder, readFeatures } from "./encode.ts";
import { testImages } from "./test-images.ts";

/** Answers test images as the server does, through tuned prompts. */
export const look: Performer<"look"> = async (cell, { archive, threads, report }) => {
  const text = await readAnswering(archive, need(cell, "defended"), cell.needs.undefended);
  const features = await readFeatures(archive, need(cell, "encoded"));
  const images = await testImages(cell, archive);
  const encoder = await openEncoder(modelFolder(cell, archive), threads);
  try {
    const clean = await answersWithSecondLook(encoder, images.clean, text, features.clean);
    report(0.1);
    const { triggered } = images;
    return {
      clean,
      ...(triggered
        ? { triggered: await answersWithSecondLook(encoder, triggered, text, features.triggered) }
        : {}),
    };
  } finally {
    await encoder.session.close();
  }
};
