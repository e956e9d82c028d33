import type { Json } from "../definition/json.ts";

/** Longest text that is looked at, characters: the offline model reads a ticket, not an archive. */
const MAX_CHARACTERS = 20_000;
/** Words said more often than this tell nothing more. */
const MAX_REPEATS = 4;

// prettier-ignore
const STOP_WORDS: ReadonlySet<string> = new Set((
  "a about after again all also am an and any are as ask at be because been before being but by can cannot could did do does doing done " +
  "dont each either else for from get give go got had has have having he hello her here hers hi him his how i if in into is it its just " +
  "let like make may me might more most must my need no nor not now of off on once one only onto or other our ours out over own per " +
  "please s same shall she should so some such t take than thank thanks that the their theirs them then there these they this those " +
  "through to too under until up upon us use very via want was we were what when where whether which while who whom whose why will " +
  "with within without would yes you your yours"
).split(" "));

/** Tried in this order after a plural s is gone; the longest first, so that "cancellation" loses "ation" and not "ion". */
const ENDINGS = ["ation", "ment", "ness", "ing", "ion", "ed", "ly", "ie", "y", "e"];

const segmenter = new Intl.Segmenter("en", { granularity: "word" });

/** A word as it was written and the stem it is compared by. */
export interface Word {
  word: string;
  stem: string;
}

/** The words of a text that carry meaning, in order; `issue_refund` and `issueRefund` are two words each. */
export function wordsOf(text: string): Word[] {
  const spaced = text
    .slice(0, MAX_CHARACTERS)
    .normalize("NFKC")
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1 $2")
    .replaceAll(/[_'’-]/g, " ")
    .toLowerCase();
  const words: Word[] = [];
  for (const { segment, isWordLike } of segmenter.segment(spaced)) {
    if (isWordLike === true && !STOP_WORDS.has(segment)) words.push({ word: segment, stem: stemOf(segment) });
  }
  return words;
}

/** Refund, refunds, refunded and refunding become one; crude, but the same on both sides of every comparison. */
export function stemOf(word: string): string {
  const singular = word.length > 3 && /[^s]s$/.test(word) ? word.slice(0, -1) : word;
  const ending = ENDINGS.find((candidate) => singular.endsWith(candidate) && singular.length - candidate.length >= 3);
  const stem = ending === undefined ? singular : singular.slice(0, -ending.length);
  return stem.replace(/([^aeioulsz\d])\1$/, "$1").replace(/ll$/, "l");
}

/** The words inside a JSON value: of its texts and numbers, and of the names of what is true. */
export function textOf(value: Json): string {
  const texts: string[] = [];
  const open: [name: string, value: Json][] = [["", value]];
  let characters = 0;
  for (let next = open.pop(); next && characters < MAX_CHARACTERS; next = open.pop()) {
    const [name, item] = next;
    const text = typeof item === "string" ? item : typeof item === "number" ? String(item) : item === true ? name : "";
    if (text !== "") texts.push(text);
    characters += text.length;
    if (typeof item === "object" && item !== null) open.push(...Object.entries(item).toReversed());
  }
  return texts.join(" \n");
}

export interface WordChoice {
  /** Index of the best option; the first one among equals. */
  index: number;
  /** 0 where no word matched, at most 0.95. */
  confidence: number;
  /** Words of the text that spoke for it, strongest first. */
  matched: string[];
}

/**
 * The option whose words the text shares most: words that few options have count more (inverse document frequency), long
 * descriptions are not favoured, ties go to the first.
 */
export function chooseByWords(text: string, options: readonly string[]): WordChoice {
  const optionStems = options.map((option) => new Set(wordsOf(option).map(({ stem }) => stem)));
  const inOptions = new Map<string, number>();
  for (const stems of optionStems) for (const stem of stems) inOptions.set(stem, (inOptions.get(stem) ?? 0) + 1);
  const weight = (stem: string) => Math.log(options.length / (inOptions.get(stem) ?? options.length));
  const said = new Map<string, { word: string; times: number }>();
  for (const { word, stem } of wordsOf(text)) {
    const known = said.get(stem);
    if (known) known.times = Math.min(known.times + 1, MAX_REPEATS);
    else said.set(stem, { word, times: 1 });
  }
  const scored = optionStems.map((stems) => {
    const hits = [...stems].flatMap((stem) => {
      const found = said.get(stem);
      const score = found ? weight(stem) * (1 + Math.log(found.times)) : 0;
      return found && score > 0 ? [{ word: found.word, score }] : [];
    });
    const length = Math.sqrt([...stems].reduce((sum, stem) => sum + weight(stem) ** 2, 0)) || 1;
    return { score: hits.reduce((sum, hit) => sum + hit.score, 0) / Math.sqrt(length), hits };
  });
  const best = scored.reduce((top, { score }, index) => (score > (scored[top]?.score ?? 0) + 1e-9 ? index : top), 0);
  const hits = (scored[best]?.hits ?? []).toSorted((left, right) => right.score - left.score);
  return { index: best, confidence: confidenceOf(scored.map(({ score }) => score)), matched: hits.map(({ word }) => word) };
}

/** Half the winner's share of all evidence, half its lead over the second. */
function confidenceOf(scores: readonly number[]): number {
  const [first = 0, second = 0] = scores.toSorted((left, right) => right - left);
  if (first === 0) return 0;
  const share = first / scores.reduce((sum, score) => sum + score, 0);
  const lead = (first - second) / first;
  return Math.round(Math.min(0.95, (share + lead) / 2) * 100) / 100;
}
