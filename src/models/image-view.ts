import { registerEnumType } from "type-graphql";
import { VIEW_NAMES } from "../engine/second-look/views.ts";

export const ImageView = Object.fromEntries(VIEW_NAMES.map((name) => [name, name]));

registerEnumType(ImageView, {
  name: "ImageView",
  description: "An image as it is seen at a second look; turned by 15 degrees.",
  valuesConfig: {
    MIRRORED: { description: "Left is right." },
    TURNED_LEFT: { description: "Against the clock." },
    TURNED_RIGHT: { description: "With the clock." },
  },
});
