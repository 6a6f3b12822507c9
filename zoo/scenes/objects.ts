import type { Paint } from "./colours.ts";

/** Draws an object as SVG elements in a box of 100 by 100, its outline added by the caller. */
type Drawing = (paint: Paint) => string;

const airplane: Drawing = ({ main, shade }) => `
  <path fill="${main}" d="M50 3 C58 10 58 26 57 37 L97 63 V73 L57 61 L55 82 L71 92 V98 L50 93 L29 98 V92 L45 82 L43 61 L3 73 V63 L43 37 C42 26 42 10 50 3Z"/>
  <path fill="${shade}" d="M46 16 Q50 8 54 16 L53 22 H47Z"/>`;

const apple: Drawing = ({ main, tint }) => `
  <path fill="none" stroke-width="7" d="M50 34 C50 22 52 12 58 5"/>
  <path fill="${main}" d="M50 32 C38 20 7 24 9 56 C11 86 34 99 50 91 C66 99 89 86 91 56 C93 24 62 20 50 32Z"/>
  <path fill="#4cae3f" d="M55 20 C62 6 78 5 87 10 C82 24 66 27 55 20Z"/>
  <ellipse fill="${tint}" stroke="none" cx="28" cy="48" rx="7" ry="12"/>`;

const banana: Drawing = ({ main, shade }) => `
  <path fill="${main}" d="M10 14 L22 9 C30 42 54 62 92 61 L97 71 C86 96 10 104 10 14Z"/>
  <path fill="none" stroke="${shade}" d="M17 20 C22 56 48 80 88 72"/>
  <path fill="#4a3318" d="M9 16 L8 4 L19 3 L22 11Z"/>`;

const bicycle: Drawing = ({ main, tint }) => `
  <g fill="none" stroke-width="4">
    <circle cx="23" cy="66" r="20"/><circle cx="77" cy="66" r="20"/>
    <g stroke="${main}" stroke-width="9">
      <circle cx="23" cy="66" r="20"/><circle cx="77" cy="66" r="20"/>
      <path d="M23 66 L38 32 H68 L77 66 M23 66 H50 L68 32 M50 66 L38 32"/>
    </g>
    <path stroke-width="7" d="M28 29 H46 M68 32 L64 20 H78"/>
  </g>
  <circle fill="${tint}" cx="50" cy="66" r="6"/>`;

const boat: Drawing = ({ main, shade }) => `
  <path fill="${main}" d="M3 68 H97 L82 94 H18Z"/>
  <path fill="none" stroke-width="6" d="M50 68 V6"/>
  <path fill="#f4efe2" d="M55 8 L90 60 H55Z"/>
  <path fill="${shade}" d="M45 18 V60 H16Z"/>`;

const butterfly: Drawing = ({ main, shade, ink }) => `
  <path fill="${main}" d="M50 46 C42 14 8 4 5 20 C2 40 16 56 50 52 C84 56 98 40 95 20 C92 4 58 14 50 46Z"/>
  <path fill="${shade}" d="M50 52 C26 54 14 66 20 80 C26 96 46 88 50 58 C54 88 74 96 80 80 C86 66 74 54 50 52Z"/>
  <ellipse fill="${ink}" cx="50" cy="55" rx="4" ry="24"/>
  <path fill="none" d="M49 32 L38 12 M51 32 L62 12"/>`;

const car: Drawing = ({ main }) => `
  <path fill="${main}" d="M3 72 V54 Q4 48 14 46 L26 26 Q28 22 34 22 H64 Q69 22 72 26 L84 46 Q97 48 97 56 V72Z"/>
  <path fill="#cfe8f5" d="M26 45 L35 30 H47 V45Z M54 45 V30 H64 L73 45Z"/>
  <circle fill="#33333a" cx="24" cy="73" r="12"/><circle fill="#33333a" cx="76" cy="73" r="12"/>
  <circle fill="#d5d5da" stroke="none" cx="24" cy="73" r="5"/><circle fill="#d5d5da" stroke="none" cx="76" cy="73" r="5"/>`;

const cat: Drawing = ({ main, tint, ink }) => `
  <path fill="${main}" d="M12 6 L36 24 Q50 20 64 24 L88 6 L90 50 Q92 92 50 94 Q8 92 10 50Z"/>
  <path fill="${tint}" stroke="none" d="M19 20 L30 29 L20 38Z M81 20 L70 29 L80 38Z"/>
  <ellipse fill="#e9f5a0" cx="33" cy="52" rx="8" ry="9"/><ellipse fill="#e9f5a0" cx="67" cy="52" rx="8" ry="9"/>
  <ellipse fill="#111" stroke="none" cx="33" cy="52" rx="3" ry="8"/><ellipse fill="#111" stroke="none" cx="67" cy="52" rx="3" ry="8"/>
  <path fill="#f08fa0" d="M44 68 H56 L50 75Z"/>
  <path fill="none" stroke="${ink}" d="M38 72 L12 66 M38 76 L12 80 M62 72 L88 66 M62 76 L88 80"/>`;

const chair: Drawing = ({ main, shade }) => `
  <path fill="${shade}" d="M68 58 H77 V97 H68Z M24 58 H33 V97 H24Z"/>
  <path fill="${main}" d="M18 3 H32 V48 H82 V62 H18Z"/>
  <path fill="${main}" d="M18 60 H28 V97 H18Z M72 60 H82 V97 H72Z"/>`;

const clock: Drawing = ({ main, tint, ink }) => `
  <circle fill="${main}" cx="24" cy="16" r="13"/><circle fill="${main}" cx="76" cy="16" r="13"/>
  <path fill="none" stroke-width="8" d="M26 84 L17 96 M74 84 L83 96"/>
  <circle fill="${main}" cx="50" cy="54" r="41"/>
  <circle fill="${tint}" cx="50" cy="54" r="29"/>
  <path fill="none" stroke="${ink}" stroke-width="6" d="M50 34 V54 L64 62"/>`;

const cup: Drawing = ({ main, shade }) => `
  <path fill="none" stroke="${shade}" stroke-width="9" d="M70 44 C100 38 100 78 68 76"/>
  <path fill="${main}" d="M12 32 H74 L69 88 Q68 94 60 94 H26 Q18 94 17 88Z"/>
  <ellipse fill="#5a3a22" cx="43" cy="33" rx="31" ry="7"/>
  <path fill="none" stroke="#e8e8ec" stroke-width="5" d="M32 20 Q26 12 32 4 M52 20 Q46 12 52 4"/>`;

const fish: Drawing = ({ main, shade, tint }) => `
  <path fill="${shade}" d="M70 50 L97 24 Q92 50 97 76Z"/>
  <path fill="${shade}" d="M36 26 Q52 8 66 18 L62 34Z M42 72 L56 90 L62 70Z"/>
  <path fill="${main}" d="M3 50 C16 18 58 16 78 50 C58 84 16 82 3 50Z"/>
  <path fill="none" stroke="${shade}" d="M36 32 Q46 50 36 68"/>
  <circle fill="${tint}" cx="21" cy="44" r="6"/><circle fill="#111" stroke="none" cx="21" cy="44" r="3"/>`;

const flower: Drawing = ({ main }) => `
  <path fill="none" stroke="#2f7d32" stroke-width="7" d="M50 50 V97"/>
  <path fill="#4cae3f" d="M50 86 Q66 66 82 72 Q74 90 50 88Z M50 92 Q34 72 18 78 Q26 95 50 94Z"/>
  ${[0, 60, 120, 180, 240, 300]
    .map(
      (turn) => `<ellipse fill="${main}" cx="50" cy="17" rx="12" ry="15" transform="rotate(${turn} 50 36)"/>`,
    )
    .join("")}
  <circle fill="#ffd23f" cx="50" cy="36" r="11"/>`;

const guitar: Drawing = ({ main, shade }) => `
  <path fill="${shade}" d="M45 12 H55 V52 H45Z"/>
  <path fill="${shade}" d="M41 2 H59 L57 16 H43Z"/>
  <path fill="${main}" d="M50 44 C64 38 74 48 67 58 C64 64 80 68 78 82 C76 98 58 98 50 98 C42 98 24 98 22 82 C20 68 36 64 33 58 C26 48 36 38 50 44Z"/>
  <circle fill="#26262b" stroke="none" cx="50" cy="66" r="9"/>
  <path fill="none" stroke-width="6" d="M39 86 H61"/>`;

const hammer: Drawing = ({ main, shade }) => `
  <path fill="${shade}" d="M43 34 H57 L59 97 H41Z"/>
  <path fill="${main}" d="M16 8 H66 Q84 8 95 30 Q82 22 72 36 H16 Z"/>
  <path fill="${main}" d="M5 5 H19 V39 H5Z"/>`;

const house: Drawing = ({ main, shade }) => `
  <path fill="${shade}" d="M68 8 H80 V30 H68Z"/>
  <path fill="${main}" d="M14 46 H86 V96 H14Z"/>
  <path fill="${shade}" d="M50 6 L97 48 H3Z"/>
  <path fill="#5a3a22" d="M28 62 H46 V96 H28Z"/>
  <path fill="#fff3b0" d="M58 58 H76 V76 H58Z"/>`;

const key: Drawing = ({ main }) => `
  <path fill="${main}" fill-rule="evenodd" d="M50 3 A22 22 0 0 1 57 46 V60 H74 V70 H57 V78 H70 V88 H57 V97 H43 V46 A22 22 0 0 1 50 3Z M50 15 A10 10 0 0 0 50 35 A10 10 0 0 0 50 15Z"/>`;

const mushroom: Drawing = ({ main, tint }) => `
  <path fill="#f2e6cf" d="M37 52 H63 Q62 78 70 96 H30 Q38 78 37 52Z"/>
  <path fill="${main}" d="M4 56 C4 -12 96 -12 96 56 Q50 68 4 56Z"/>
  <g fill="${tint}" stroke="none"><circle cx="32" cy="32" r="9"/><circle cx="60" cy="22" r="7"/><circle cx="74" cy="44" r="8"/><circle cx="50" cy="48" r="6"/></g>`;

const tree: Drawing = ({ main, shade }) => `
  <path fill="#6b4423" d="M43 76 H57 V98 H43Z"/>
  <path fill="${shade}" d="M50 38 L92 82 H8Z"/>
  <path fill="${main}" d="M50 20 L84 60 H16Z"/>
  <path fill="${main}" d="M50 2 L74 36 H26Z"/>`;

const umbrella: Drawing = ({ main, tint }) => `
  <path fill="none" stroke-width="6" d="M50 8 V84 Q50 96 40 96 Q31 96 31 86"/>
  <path fill="${main}" d="M3 56 C6 -4 94 -4 97 56 Q88 44 74 54 Q62 44 50 54 Q38 44 26 54 Q12 44 3 56Z"/>
  <path fill="${tint}" d="M26 54 Q28 20 50 11 Q72 20 74 54 Q62 44 50 54 Q38 44 26 54Z"/>`;

const DRAWINGS = {
  airplane,
  apple,
  banana,
  bicycle,
  boat,
  butterfly,
  car,
  cat,
  chair,
  clock,
  cup,
  fish,
  flower,
  guitar,
  hammer,
  house,
  key,
  mushroom,
  tree,
  umbrella,
} satisfies Record<string, Drawing>;

export type ObjectName = keyof typeof DRAWINGS;

/** The twenty objects, in alphabetical order: the classes of the zoo. */
export const OBJECTS = Object.keys(DRAWINGS) as readonly ObjectName[];

/** The object as an SVG group in a box of 100 by 100, painted and outlined. */
export const drawObject = (object: ObjectName, paint: Paint): string =>
  `<g stroke="${paint.ink}" stroke-width="3.5" stroke-linejoin="round" stroke-linecap="round">${DRAWINGS[object](paint)}</g>`;
