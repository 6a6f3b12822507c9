/**
 * Resolves HTML's character references as Python's `html.unescape` does: by number, with or without a semicolon, and
 * by the names of HTML 4. Names that only HTML 5 has are left as they are.
 */
export function unescapeEntities(text: string): string {
  return text.replace(
    /&(?:#(\d+);?|#[xX]([\da-fA-F]+);?|([A-Za-z][\dA-Za-z]{1,31});?)/g,
    (reference, decimal, hexadecimal, name) => {
      if (name) return byName(name, reference);
      return byNumber(decimal ? Number.parseInt(decimal, 10) : Number.parseInt(hexadecimal, 16));
    },
  );
}

/** The same as often as it changes something, but never in text with tags, and only what ends in a semicolon. */
export function unescapePlainEntities(text: string): string {
  let plain = text;
  while (!plain.includes("<")) {
    const next = plain.replace(/&#?[\dA-Za-z]{1,24};/g, unescapeEntities);
    if (next === plain) break;
    plain = next;
  }
  return plain;
}

function byName(name: string, reference: string): string {
  const ended = reference.endsWith(";");
  if (ended && ENTITIES.has(name)) return ENTITIES.get(name)!;
  // The oldest names need no semicolon, and may run into the next word.
  for (let length = name.length; length > 1; length--) {
    const character = OLDEST.get(name.slice(0, length));
    if (character !== undefined) return character + reference.slice(1 + length);
  }
  return reference;
}

/** HTML reads the numbers of control characters as Windows-1252 and drops those that mean nothing there. */
function byNumber(code: number): string {
  if (code >= 0x80 && code <= 0x9f) return WINDOWS_1252[code - 0x80];
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return "\ufffd";
  const white = [0x09, 0x0a, 0x0c, 0x0d].includes(code);
  const meaningless = (code < 0x20 && !white) || code === 0x7f;
  const unassigned = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
  return meaningless || unassigned ? "" : String.fromCodePoint(code);
}

/** What the bytes from 0x80 to 0x9F are there; five are nothing, and stay control characters. */
const WINDOWS_1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

/** The names of U+00A0 to U+00FF, in order. */
const LATIN = `nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3
acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig
Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave
Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave
iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml`;

const GREEK = "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho"
  .split(" ")
  .concat("", "Sigma Tau Upsilon Phi Chi Psi Omega".split(" "));

const OTHERS: Readonly<Record<string, number>> = {
  ...{ OElig: 0x152, oelig: 0x153, Scaron: 0x160, scaron: 0x161, Yuml: 0x178, fnof: 0x192, circ: 0x2c6 },
  ...{ tilde: 0x2dc, ensp: 0x2002, emsp: 0x2003, thinsp: 0x2009, zwnj: 0x200c, zwj: 0x200d, lrm: 0x200e },
  ...{
    rlm: 0x200f,
    ndash: 0x2013,
    mdash: 0x2014,
    lsquo: 0x2018,
    rsquo: 0x2019,
    sbquo: 0x201a,
    ldquo: 0x201c,
  },
  ...{ rdquo: 0x201d, bdquo: 0x201e, dagger: 0x2020, Dagger: 0x2021, bull: 0x2022, hellip: 0x2026 },
  ...{ permil: 0x2030, prime: 0x2032, Prime: 0x2033, lsaquo: 0x2039, rsaquo: 0x203a, euro: 0x20ac },
  ...{ trade: 0x2122, larr: 0x2190, uarr: 0x2191, rarr: 0x2192, darr: 0x2193, harr: 0x2194, infin: 0x221e },
  ...{ minus: 0x2212, ne: 0x2260, le: 0x2264, ge: 0x2265, asymp: 0x2248, radic: 0x221a, sum: 0x2211 },
  ...{ spades: 0x2660, clubs: 0x2663, hearts: 0x2665, diams: 0x2666, loz: 0x25ca, apos: 0x27, sigmaf: 0x3c2 },
};

/** From the start of Greek's capitals; a gap where final sigma would be. */
const greek = GREEK.flatMap((name, index): [string, number][] =>
  name === ""
    ? []
    : [
        [name, 0x391 + index],
        [name.toLowerCase(), 0x3b1 + index],
      ],
);

const OLDEST: ReadonlyMap<string, string> = new Map([
  ...LATIN.split(/\s+/).map((name, index): [string, string] => [name, String.fromCodePoint(0xa0 + index)]),
  ...Object.entries({ amp: "&", AMP: "&", lt: "<", LT: "<", gt: ">", GT: ">", quot: '"', QUOT: '"' }),
  ...Object.entries({ COPY: "\u00a9", REG: "\u00ae" }),
]);

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ...OLDEST,
  ...[...greek, ...Object.entries(OTHERS)].map(([name, code]): [string, string] => [
    name,
    String.fromCodePoint(code),
  ]),
]);
