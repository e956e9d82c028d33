import { short, spreadOf, type Figures } from "./measure/figures.ts";
import { PEERS, type PeerName } from "./peers/all.ts";

/** The figures of each round of each peer. */
export type Results = Map<PeerName, Figures[]>;

const BASE: PeerName = "langgraph";

/** One Markdown table: medians, smallest and largest in brackets, and Signalbox as a multiple of LangGraph without a checkpointer. */
export function table(results: Results): string {
  const peers = [...results.keys()];
  const compared = results.has(BASE) ? peers.filter((peer) => peer === "pure" || peer === "effects") : [];
  const names = [...new Set([...results.values()].flatMap((rounds) => rounds.flatMap((figures) => Object.keys(figures))))];
  const head = ["", ...peers.map((peer) => PEERS[peer].name), ...compared.map((peer) => `${peer} / LangGraph`)];
  const rows = names.map((name) => [
    name,
    ...peers.map((peer) => cell(valuesOf(results, peer, name))),
    ...compared.map((peer) => ratio(valuesOf(results, peer, name), valuesOf(results, BASE, name))),
  ]);
  return markdown(head, rows);
}

/** A Markdown table. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function valuesOf(results: Results, peer: PeerName, name: string): number[] {
  return results.get(peer)?.flatMap((figures) => figures[name] ?? []) ?? [];
}

/** The median, and what it lies between. */
export function cell(values: readonly number[]): string {
  const spread = spreadOf(values);
  if (!spread) return "-";
  const { median, min, max } = spread;
  return min === max ? short(median) : `${short(median)} (${short(min)}-${short(max)})`;
}

function ratio(values: readonly number[], base: readonly number[]): string {
  const own = spreadOf(values)?.median;
  const other = spreadOf(base)?.median;
  return own === undefined || !other ? "" : `${(own / other).toFixed(2)}x`;
}
