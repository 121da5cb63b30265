// What is new in the list, above it.

import { html } from "../html.js";
import { Icon } from "../ui/icon.js";

/** The pill above the list: what is new since the reader last saw the beginning. @param {{ store: import("./list_store.js").ListStore, onShow: () => void }} props */
export function News({ store, onShow }) {
  const { fresh, moved, apart } = store;
  if (fresh + moved.size === 0 && !apart) return null;
  const parts = [fresh ? `${fresh} new` : "", moved.size ? `${moved.size} updated` : ""].filter(Boolean);
  return html`<button type="button" class="news" onClick=${onShow}><${Icon} name="up" />${apart ? "Much has changed: show the latest" : parts.join(", ")}</button>`;
}
