import { between, pick, type Random } from "./random.ts";

/** A kind of background: how captions put an object in front of it, and how it is drawn. */
interface Background {
  /** Follows the object in a caption: "a red car {place}". */
  place: string;
  /** SVG elements that fill a square of 64 by 64, its details drawn from `random`. */
  draw: (random: Random) => string;
}

const SIDE = 64;

const sky: Background = {
  place: "in the sky",
  draw: (random) =>
    verticalGradient("#5aa7ea", "#c5e4fa") +
    many(3, () => cloud(between(random, 0, SIDE), between(random, 4, SIDE), between(random, 5, 10))),
};

const grass: Background = {
  place: "on the grass",
  draw: (random) =>
    fill("#58a64a") +
    many(90, () => {
      const [x, y, lean] = [between(random, 0, SIDE), between(random, 0, SIDE), between(random, -2, 2)];
      const colour = pick(random, ["#3f8a35", "#74c162", "#4b9a40"]);
      return `<path d="M${x} ${y} l${lean} -5" stroke="${colour}" stroke-width="1"/>`;
    }),
};

const sand: Background = {
  place: "on the sand",
  draw: (random) =>
    fill("#e6cf98") +
    many(70, () => dot(random, pick(random, ["#cdb274", "#f4e4b8", "#b89c60"]), 0.8)) +
    many(3, () => wave(between(random, 4, SIDE), 3, "#d2b97d")),
};

const brickWall: Background = {
  place: "in front of a brick wall",
  draw: (random) => {
    const [left, top] = [between(random, -12, 0), between(random, -7, 0)];
    const row = (index: number): string =>
      many(7, (column) => {
        const x = left + column * 13 - (index % 2) * 6.5;
        const colour = pick(random, ["#a94f3d", "#b65a45", "#9c4636"]);
        return `<rect x="${x}" y="${top + index * 7}" width="12" height="6" fill="${colour}"/>`;
      });
    return fill("#d8cbbd") + many(11, row);
  },
};

const water: Background = {
  place: "on the water",
  draw: (random) =>
    verticalGradient("#2f86b5", "#17507f") +
    many(9, (index) => wave(index * 7 + between(random, 0, 5), between(random, 2, 5), "#7cc3e0")),
};

const snow: Background = {
  place: "in the snow",
  draw: (random) =>
    fill("#e9eff6") +
    many(2, () => wave(between(random, 20, SIDE), 6, "#c6d4e6")) +
    many(30, () => dot(random, "#ffffff", 1.4)) +
    many(14, () => dot(random, "#b7c8de", 0.9)),
};

const woodenFloor: Background = {
  place: "on a wooden floor",
  draw: (random) => {
    const top = between(random, -10, 0);
    const plank = (index: number): string => {
      const y = top + index * 11;
      const colour = pick(random, ["#b5814c", "#a67341", "#c08e58"]);
      const joint = between(random, 0, SIDE);
      return (
        `<rect y="${y}" width="64" height="10.4" fill="${colour}"/>` +
        `<path d="M0 ${y + between(random, 2, 8)} q32 ${between(random, -2, 2)} 64 0 M${joint} ${y} v10.4" stroke="#7d5329" stroke-width="0.7" fill="none"/>`
      );
    };
    return fill("#6b4521") + many(8, plank);
  },
};

const nightSky: Background = {
  place: "under the night sky",
  draw: (random) =>
    verticalGradient("#0b1030", "#27306b") +
    many(26, () => dot(random, pick(random, ["#ffffff", "#ffe9b0", "#b9c8ff"]), 0.9)),
};

/** The eight backgrounds, by the name that scenes use. */
export const BACKGROUNDS = {
  sky,
  grass,
  sand,
  "brick wall": brickWall,
  water,
  snow,
  "wooden floor": woodenFloor,
  "night sky": nightSky,
} satisfies Record<string, Background>;

export type BackgroundName = keyof typeof BACKGROUNDS;

export const BACKGROUND_NAMES = Object.keys(BACKGROUNDS) as readonly BackgroundName[];

const fill = (colour: string): string => `<rect width="64" height="64" fill="${colour}"/>`;

const verticalGradient = (top: string, bottom: string): string =>
  `<linearGradient id="fade" x2="0" y2="1"><stop stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/></linearGradient>` +
  fill("url(#fade)");

const dot = (random: Random, colour: string, radius: number): string =>
  `<circle cx="${between(random, 0, SIDE)}" cy="${between(random, 0, SIDE)}" r="${radius}" fill="${colour}"/>`;

const wave = (y: number, height: number, colour: string): string =>
  `<path d="M-4 ${y} q8 ${-height} 16 0 t16 0 t16 0 t16 0 t16 0" stroke="${colour}" stroke-width="1.2" fill="none"/>`;

const cloud = (x: number, y: number, radius: number): string =>
  `<g fill="#ffffff" fill-opacity="0.85"><ellipse cx="${x}" cy="${y}" rx="${radius * 1.6}" ry="${radius * 0.55}"/><circle cx="${x}" cy="${y - radius * 0.3}" r="${radius * 0.6}"/></g>`;

const many = (count: number, draw: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => draw(index)).join("");
