// A coloured tile with initials. Logos of agents would be fetched from elsewhere, which this page never does.

import { html } from "../html.js";

const HUES = 8;

/** @param {{ name: string, id: string | number | null, shape?: "round" | "square" }} props */
export function Avatar({ name, id, shape = "round" }) {
  const words = name.split(/[\s@._-]+/u).filter(Boolean);
  const initials = [words[0], words.length > 1 ? words[words.length - 1] : ""].map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
  let hash = 7;
  for (const character of String(id ?? name)) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return html`<span class=${`avatar ${shape} hue-${hash % HUES}`} aria-hidden="true">${initials}</span>`;
}
