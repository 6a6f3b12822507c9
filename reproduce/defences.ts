import type { DefenceName } from "../src/engine/defences/index.ts";

/** What a reader knows each defence by. */
const TITLES: Readonly<Record<DefenceName, string>> = {
  none: "undefended",
  coop: "CoOp",
  ft: "FT",
  cleanclip: "CleanCLIP",
  par: "PAR",
  "cbpt-published": "CBPT as published",
  "cbpt-universal": "CBPT universal",
};

export const titleOf = (defence: DefenceName): string => TITLES[defence];
