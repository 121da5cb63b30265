// Saves everything that the filter finds, as the API streams it.

import { html, useContext, useRef, useState } from "../html.js";
import { aborted, ask } from "../api/client.js";
import { bytes, count } from "../format.js";
import { SessionContext } from "../session/context.js";
import { Icon } from "../ui/icon.js";
import { Popover } from "../ui/popover.js";

/** Every one is flat: sub-conversations are rows of their own. */
const FORMATS = /** @type {const} */ ([
  { name: "CSV", detail: "for Excel and other spreadsheets", accept: "text/csv", suffix: "csv", bom: true },
  { name: "CSV, plain", detail: "without a byte order mark", accept: "text/csv", suffix: "csv", bom: false },
  { name: "NDJSON", detail: "a JSON object a line, for programs", accept: "application/x-ndjson", suffix: "ndjson", bom: false },
]);

/** @typedef {typeof FORMATS[number]} Format */

/** @param {{ query: string, total: number | null }} props */
export function Export({ query, total }) {
  const { session } = useContext(SessionContext);
  const [state, setState] = useState(/** @type {{ received: number | null, said: string }} */ ({ received: null, said: "" }));
  const running = useRef(/** @type {AbortController | null} */ (null));

  const save = async (/** @type {Format} */ format) => {
    running.current = new AbortController();
    setState({ received: 0, said: "Exporting" });
    try {
      const asked = new URLSearchParams(query);
      if (format.bom) asked.set("bom", "true");
      const response = await ask(session, "getInteractions", asked, { accept: format.accept, signal: running.current.signal });
      const parts = await received(response, (length) => setState({ received: length, said: "" }));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(parts, { type: format.accept }));
      link.download = `conversations-${asked.get("from")?.slice(0, 10)}-${asked.get("to")?.slice(0, 10)}.${format.suffix}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      setState({ received: null, said: `Saved ${link.download}` });
    } catch (error) {
      setState({ received: null, said: aborted(error) ? "The export was stopped" : `The export failed: ${error instanceof Error ? error.message : error}` });
    }
  };

  if (state.received !== null) {
    return html`<button type="button" class="button" onClick=${() => running.current?.abort()}>${bytes(state.received)}<span class="aside">Stop</span></button>`;
  }
  return html`<${Popover} label="Export" look="button" align="end" button=${html`<${Icon} name="download" /><span class="wide-only">Export</span>`} buttonLabel="Export">
    ${(/** @type {() => void} */ close) => html`<p class="hint">${total === null ? "Everything that the filter finds" : count(total, "conversation")}, in the order of the list. Sub-conversations are rows of their own.</p>
      <ul class="menu">${FORMATS.map((format) => html`<li><button type="button" class="menu-item" onClick=${() => { close(); void save(format); }}>
        <span>${format.name}</span><span class="aside">${format.detail}</span></button></li>`)}</ul>`}
  <//><span class=${state.said.startsWith("The export") ? "toast bad" : "unseen"} role="status">${state.said}</span>`;
}

/** @param {Response} response @param {(length: number) => void} progress */
async function received(response, progress) {
  const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  let length = 0, told = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return parts;
    parts.push(value);
    length += value.length;
    if (performance.now() - told > 200) {
      told = performance.now();
      progress(length);
    }
  }
}
