import { wordsOf } from "./words.ts";

const MAX_SENTENCES = 3;
const MAX_CHARACTERS = 600;
/** "Summarise this ticket: ..." asks; what is asked about comes after the colon. */
const INSTRUCTION = /^[^\n.!?:]{1,120}:\s+(?=[^]{20})/;

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

/** The sentences that say most of what a text says, in its own words and order; the same for the same text. */
export function extractOf(text: string): string {
  const sentences = [...segmenter.segment(text.trim().replace(INSTRUCTION, "").slice(0, 20_000))]
    .map(({ segment }) => segment.replaceAll(/\s+/g, " ").trim())
    .filter(Boolean);
  const wordsIn = sentences.map((sentence) => new Set(wordsOf(sentence).map(({ stem }) => stem)));
  const spread = new Map<string, number>();
  for (const words of wordsIn) for (const word of words) spread.set(word, (spread.get(word) ?? 0) + 1);
  const ranked = sentences
    .map((sentence, index) => ({ sentence, index, score: centrality(wordsIn[index] ?? new Set(), spread) }))
    .toSorted((left, right) => right.score - left.score || left.index - right.index);
  const chosen = ranked.slice(0, MAX_SENTENCES).toSorted((left, right) => left.index - right.index);
  return shortened(chosen.map(({ sentence }) => sentence).join(" "));
}

/** How much its words come back elsewhere; the root keeps long sentences from winning by length. */
function centrality(words: ReadonlySet<string>, spread: ReadonlyMap<string, number>): number {
  if (words.size === 0) return 0;
  return [...words].reduce((sum, word) => sum + (spread.get(word) ?? 0), 0) / Math.sqrt(words.size);
}

function shortened(text: string): string {
  if (text.length <= MAX_CHARACTERS) return text;
  const cut = text.slice(0, MAX_CHARACTERS).toWellFormed();
  return `${cut.slice(0, Math.max(cut.lastIndexOf(" "), MAX_CHARACTERS / 2))}…`;
}
