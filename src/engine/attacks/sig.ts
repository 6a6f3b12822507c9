import { real } from "../parameters.ts";
import { defineAttack, mapImage } from "./attack.ts";

/** Adds a horizontal sinusoid to every row: x ← x + amplitude · sin(2π · frequency · column / width). */
export const sig = defineAttack({
  name: "sig",
  paper: "Barni, Kallas and Tondi 2019, arXiv:1902.11237",
  defaults: {
    amplitude: real(60 / 255, [0, 1], "Height of the wave"),
    frequency: real(6, [0, 112], "Cycles per width"),
  },
  stamp: (image, { amplitude, frequency }) => {
    const wave = Array.from(
      { length: image.width },
      (_, column) => amplitude * Math.sin((2 * Math.PI * frequency * column) / image.width),
    );
    return mapImage(image, (old, _row, column) => old + wave[column]!);
  },
});
