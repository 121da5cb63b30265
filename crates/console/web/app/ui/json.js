// JSON to read: a tree that folds, every value selectable, the whole copyable.

import { html, useMemo, useState } from "../html.js";
import { count } from "../format.js";
import { Copy } from "./copy.js";

/** Levels that are open at first, unless there is little. */
const OPEN_DEPTH = 2;
/** Whatever has no more values than this is shown open altogether. */
const SMALL = 40;
/** Members of one array or object that are shown before one asks for more. */
const STEP = 100;
/** Longer strings are cut until one asks. */
const LONG = 600;

/** @param {{ value: unknown, label: string }} props */
export function Json({ value, label }) {
  const [shape, setShape] = useState({ open: /** @type {boolean | null} */ (null), version: 0 });
  const size = useMemo(() => weigh(value, SMALL + 1), [value]);
  const nested = value !== null && typeof value === "object";
  const fold = (/** @type {boolean} */ open) => setShape({ open, version: shape.version + 1 });
  return html`<div class="json">
    <div class="json-tools">
      <span class="json-label">${label}</span>
      ${nested && size > 3 && html`<button type="button" class="quiet" onClick=${() => fold(true)} aria-label=${`Unfold all of ${label}`}>Unfold</button>
        <button type="button" class="quiet" onClick=${() => fold(false)} aria-label=${`Fold all of ${label}`}>Fold</button>`}
      <${Copy} text=${() => JSON.stringify(value, null, 2)} label=${`Copy ${label} as JSON`} />
    </div>
    <div class="json-tree" key=${shape.version}><${Node} value=${value} depth=${0} open=${shape.open ?? (size <= SMALL ? true : null)} /></div>
  </div>`;
}

/** Values below, counted up to a limit. @param {unknown} value @param {number} most @returns {number} */
function weigh(value, most) {
  if (value === null || typeof value !== "object") return typeof value === "string" ? 1 + Math.floor(value.length / 200) : 1;
  let sum = 1;
  for (const part of Object.values(value)) {
    sum += weigh(part, most - sum);
    if (sum > most) break;
  }
  return sum;
}

/** @param {{ name?: string, value: unknown, depth: number, open: boolean | null }} props */
function Node({ name, value, depth, open }) {
  const key = name === undefined ? null : html`<span class="json-key">${name}</span><span class="json-mark">: </span>`;
  if (value === null || typeof value !== "object") return html`<div class="json-line">${key}<${Leaf} value=${value} /></div>`;
  const list = Array.isArray(value);
  const members = list ? value.map((part, index) => /** @type {[string, unknown]} */ ([String(index), part])) : Object.entries(value);
  const [start, end] = list ? ["[", "]"] : ["{", "}"];
  if (members.length === 0) return html`<div class="json-line">${key}<span class="json-mark">${start}${end}</span></div>`;
  return html`<${Branch} head=${key} members=${members} list=${list} marks=${[start, end]} depth=${depth} open=${open} />`;
}

/** @param {{ head: any, members: [string, unknown][], list: boolean, marks: string[], depth: number, open: boolean | null }} props */
function Branch({ head, members, list, marks, depth, open }) {
  const [opened, setOpened] = useState(open ?? depth < OPEN_DEPTH);
  const [shown, setShown] = useState(STEP);
  const left = members.length - shown;
  return html`<details class="json-branch" open=${opened} onToggle=${(/** @type {any} */ event) => setOpened(event.currentTarget.open)}>
    <summary>${head}<span class="json-mark">${marks[0]}</span>${!opened && html`<span class="json-count"> ${count(members.length, list ? "item" : "key")} </span><span class="json-mark">${marks[1]}</span>`}</summary>
    ${opened && html`<div class="json-members">
      ${members.slice(0, shown).map(([name, part]) => html`<${Node} key=${name} name=${name} value=${part} depth=${depth + 1} open=${open} />`)}
      ${left > 0 && html`<button type="button" class="quiet" onClick=${() => setShown(shown + STEP * 5)}>${count(left, "more", "more")}</button>`}
    </div><div class="json-mark">${marks[1]}</div>`}
  </details>`;
}

/** @param {{ value: unknown }} props */
function Leaf({ value }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return html`<span class=${`json-${value === null ? "null" : typeof value}`}>${String(value)}</span>`;
  const long = value.length > LONG && !whole;
  return html`<span class="json-string">"${long ? value.slice(0, LONG) : value}${long ? "…" : ""}"</span>
    ${long && html`<button type="button" class="quiet" onClick=${() => setWhole(true)}>${count(value.length - LONG, "more character")}</button>`}`;
}
