import { registerEnumType } from "type-graphql";
import { VIEW_NAMES } from "../engine/second-look/views.ts";

export const ImageView = Object.fromEntries(VIEW_NAMES.map((name) => [name, name]));

registerEnumType(ImageView, {
  name: "ImageView",
  description: "An image as it is seen at a second look, in the order in which views are tried.",
  valuesConfig: {
    MIRRORED: { description: "Left is right." },
    TURNED_LEFT: { description: "By 15 degrees against the clock." },
    FILTERED: { description: "Without what repeats itself over the whole image: waves, stripes, grids." },
    DENOISED: { description: "Without its noise, and with a quarter more contrast." },
    TURNED_RIGHT: { description: "By 15 degrees with the clock." },
    REDRAWN: { description: "Without its smallest details, its edges sharpened." },
    BRIGHTENED: { description: "Mirrored, and twice as bright." },
  },
});
