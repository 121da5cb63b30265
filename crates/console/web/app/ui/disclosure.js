// Something that opens: what is inside is made when somebody looks.

import { html, useState } from "../html.js";

/** @param {{ summary: any, look?: string, children: () => any }} props */
export function Disclosure({ summary, look, children }) {
  const [open, setOpen] = useState(false);
  return html`<details class=${look} onToggle=${(/** @type {any} */ event) => event.target === event.currentTarget && setOpen(event.currentTarget.open)}>
    <summary>${summary}</summary>${open && children()}</details>`;
}
