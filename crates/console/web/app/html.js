// Preact with htm: components are functions that return html`…`.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export const html = htm.bind(h);
export * from "../vendor/hooks.js";
