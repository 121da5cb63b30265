// A time in the reader's zone; the hint has it in UTC.

import { html } from "../html.js";
import { exact, utc, when } from "../format.js";

/** @param {{ at: string, full?: boolean }} props */
export function Time({ at, full = false }) {
  return html`<time datetime=${at} title=${utc(at)}>${full ? exact(at) : when(at)}</time>`;
}
