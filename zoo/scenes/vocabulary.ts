import { BACKGROUND_NAMES, BACKGROUNDS } from "./backgrounds.ts";
import { CAPTION_TEMPLATES } from "./captions.ts";
import { COLOUR_NAMES } from "./colours.ts";
import { OBJECTS } from "./objects.ts";

/** The special tokens. Padding has id 0; end of text has the highest id, where open_clip looks for it. */
export const SPECIAL_TOKENS = {
  padding: "<pad>",
  unknown: "<unk>",
  start: "<start_of_text>",
  end: "<end_of_text>",
} as const;

const PUNCTUATION = ". , ; : ! ? ' \" - ( ) /";

/** Words of prompt templates that people use with CLIP. */
const TEMPLATE_WORDS = `
  a an the this that these those there here is are was be it its his her my your our their one some any no not
  of on in at by with without for from to and or as into over under near behind beside between above below
  next front back inside outside against around photo photos photograph photography picture pictures image
  images drawing painting sketch rendering rendition render sculpture cartoon art artwork illustration icon
  clip tattoo embroidered origami plushie plastic toy doodle graffiti statue itap video game screenshot scene
  view shot type kind sort class category object thing things item something showing shows seen depicting
  containing called good bad best worst nice cool weird beautiful pretty ugly clean dirty cropped close up
  closeup low high resolution quality blurry sharp pixelated jpeg corrupted bright dark black white many few
  several two three hard easy see small large big little tiny huge satellite texture typical example test`;

/** What can be said of a photograph by looking at its pixels. */
const PIXEL_WORDS = `
  mostly partly very slightly rather center middle centre border edge edges corner side sides left right top
  bottom upper lower half background foreground subject light lighter darker pale deep vivid dull faded muted
  colorful colourful colors colours colored coloured color colour tone tones warm cold contrast flat plain
  smooth rough busy empty detailed soft grainy textured patterned striped uniform mixed horizontal vertical
  diagonal lines wide tall narrow round long short shadow shadows shiny day night evening morning sunny cloudy
  indoor outdoor open surrounding main shape gray grey beige golden silver teal navy maroon violet magenta tan`;

/** Class names of CIFAR-10 and CIFAR-100, and words that describe them. */
const PHOTOGRAPH_CLASSES = `
  airplane plane aeroplane jet automobile car sedan bird cat kitten deer dog puppy frog horse ship boat truck
  lorry animal animals vehicle vehicles pet wild farm apple aquarium fish baby bear beaver bed bee beetle bicycle
  bottle bowl boy bridge bus butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud
  cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
  keyboard lamp lawn mower leopard lion lizard lobster man maple tree motorcycle mountain mouse mushroom oak
  orange orchid otter palm pear pickup pine plain plate poppy porcupine possum rabbit raccoon ray road rocket
  rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet pepper table
  tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow wolf woman worm`;

/** Everyday words, so that most prompts people think of are within the vocabulary. */
const SPARE_WORDS = `
  person people child children hand hands face head eye eyes hair hat shoe shoes shirt dress coat bag book pen
  pencil paper box ball bat drum piano violin phone computer screen window door wall roof floor ceiling room
  kitchen garden park street city town village field farm river lake ocean beach island hill valley desert
  rain wind storm ice fire smoke sun moon star stars sky earth stone rock brick wood wooden metal glass cloth
  food bread cheese egg meat fruit vegetable banana lemon grape cherry strawberry tomato potato carrot onion
  coffee tea milk water wine cake candy spoon fork knife pan pot basket candle mirror pillow blanket carpet
  helicopter van taxi ambulance scooter wagon canoe yacht ferry submarine wheel engine wing tail leg feather
  fur skin chicken duck goose swan owl eagle parrot pigeon penguin cow pig sheep goat donkey monkey gorilla
  panda zebra giraffe ant fly mosquito flower leaf branch root grass bush seed hammer saw nail screw wrench
  ladder rope key lock umbrella guitar trumpet flute bell sword gun flag map coin ring crown king queen
  standing sitting flying running swimming parked moving sleeping eating young old new ancient modern red
  green blue yellow purple pink brown cyan happy sad angry hot wet dry full heavy fast slow left`;

/** All words of the zoo's tokenizer, each once, in alphabetical order. */
export function vocabularyWords(): string[] {
  const places = BACKGROUND_NAMES.map((name) => `${name} ${BACKGROUNDS[name].place}`);
  const texts = [
    ...OBJECTS,
    ...COLOUR_NAMES,
    ...places,
    ...CAPTION_TEMPLATES.map((template) => template.replace("{}", "").replace(".", "")),
    PUNCTUATION,
    TEMPLATE_WORDS,
    PIXEL_WORDS,
    PHOTOGRAPH_CLASSES,
    SPARE_WORDS,
  ];
  const words = texts.flatMap((text) => text.split(/\s+/)).filter((word) => word !== "");
  return [...new Set(words)].sort();
}

/** The tokenizer as the content of a Hugging Face `tokenizer.json`: whole words, lower case. */
export function tokenizerDefinition(): object {
  const { padding, unknown, start, end } = SPECIAL_TOKENS;
  const tokens = [padding, unknown, start, ...vocabularyWords(), end];
  const idOf = (token: string): number => tokens.indexOf(token);
  const special = (token: string): object => ({ id: token, ids: [idOf(token)], tokens: [token] });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: Object.values(SPECIAL_TOKENS).map((content) => ({
      id: idOf(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: sequence(start, ["A"], end),
      pair: sequence(start, ["A", "B"], end),
      special_tokens: { [start]: special(start), [end]: special(end) },
    },
    decoder: null,
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      unk_token: unknown,
    },
  };
}

/** The template start, texts, end of a TemplateProcessing post-processor. */
const sequence = (start: string, texts: string[], end: string): object[] => [
  { SpecialToken: { id: start, type_id: 0 } },
  ...texts.map((id) => ({ Sequence: { id, type_id: 0 } })),
  { SpecialToken: { id: end, type_id: 0 } },
];
