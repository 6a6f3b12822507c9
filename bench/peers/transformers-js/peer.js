/**
 * transformers.js's zero-shot pipeline: given a folder, labels, image files and how long to work as JSON, answers the
 * probabilities of the first image and how many images a second it classified.
 */
import { env, pipeline } from "@huggingface/transformers";

const { folder, labels, template, images, threads, seconds } = JSON.parse(process.argv[2]);
env.allowRemoteModels = false;
env.localModelPath = "/";
const classify = await pipeline("zero-shot-image-classification", folder, {
  device: "cpu",
  dtype: "fp32",
  session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
});
const options = { hypothesis_template: template };
const first = await classify(images[0], labels, options);
const times = [];
const begin = performance.now();
for (let done = 0; performance.now() - begin < 1000 * seconds || done === 0; done++) {
  const start = performance.now();
  await classify(images[done % images.length], labels, options);
  times.push(performance.now() - start);
}
const perSecond = (1000 * times.length) / (performance.now() - begin);
const probabilities = Object.fromEntries(first.map(({ label, score }) => [label, score]));
console.log(JSON.stringify({ version: env.version, probabilities, perSecond, times }));
