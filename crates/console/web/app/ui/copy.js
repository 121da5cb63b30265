// Copies a text, and says that it did.

import { html, useEffect, useState } from "../html.js";
import { Icon } from "./icon.js";

/** @param {{ text: string | (() => string), label: string, shown?: any, icon?: import("./icon.js").IconName, look?: string }} props */
export function Copy({ text, label, shown, icon = "copy", look = "icon-button" }) {
  const [state, setState] = useState(/** @type {"" | "copied" | "failed"} */ (""));
  useEffect(() => {
    if (!state) return undefined;
    const timer = setTimeout(() => setState(""), 1_600);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      setState("copied");
    } catch {
      setState("failed");
    }
  };
  const said = state === "copied" ? "Copied" : state === "failed" ? "The browser did not allow copying" : "";
  return html`<button type="button" class=${look} aria-label=${label} title=${label} onClick=${copy}>
    <${Icon} name=${state === "copied" ? "check" : icon} />${shown && html`<span>${state === "copied" ? "Copied" : shown}</span>`}
    <span class="unseen" role="status">${said}</span>
  </button>`;
}
