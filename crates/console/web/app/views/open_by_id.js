// A conversation by its id, or by a link to it.

import { html, useState } from "../html.js";
import { go } from "../state/place.js";
import { Icon } from "../ui/icon.js";
import { Popover } from "../ui/popover.js";

export function OpenById() {
  return html`<${Popover} label="Open a conversation" buttonLabel="Open a conversation by its id" look="icon-button" align="end" button=${html`<${Icon} name="search" />`}>
    ${(/** @type {() => void} */ close) => html`<${Form} close=${close} />`}
  <//>`;
}

/** @param {{ close: () => void }} props */
function Form({ close }) {
  const [text, setText] = useState("");
  const id = idOf(text.trim());
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!id) return;
    close();
    go({ view: "conversation", id });
  };
  return html`<form class="form" onSubmit=${submit}>
    <label>Id of a conversation, or a link to it<input class="field" type="text" autocomplete="off" spellcheck=${false} value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></label>
    <button type="submit" class="button primary" disabled=${!id}>Open</button></form>`;
}

/** @param {string} text */
const idOf = (text) => (URL.canParse(text) && text.startsWith("http") ? new URL(text).searchParams.get("id") : text) || null;
