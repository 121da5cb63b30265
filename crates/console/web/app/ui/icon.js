// The page's icons: strokes on a grid of 16, in the colour of the text. They decorate; what they mean stands beside them or in a label.

import { html } from "../html.js";

const PATHS = {
  overview: "M2 13.5h12M4 11V7.5M8 11V3.5M12 11V6",
  conversations: "M2.5 3.5h11v7h-6l-3 2.5v-2.5h-2z",
  chevron: "M6 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  close: "M4 4l8 8M12 4l-8 8",
  plus: "M8 3.5v9M3.5 8h9",
  check: "M3.5 8.5l3 3 6-7",
  search: "M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10 10l3.5 3.5",
  calendar: "M2.5 4h11v9.5h-11zM2.5 7h11M5.5 2.5V5M10.5 2.5V5",
  filter: "M2.5 4h11M4.5 8h7M6.5 12h3",
  download: "M8 2.5v7.5M5 7.5L8 10.500l3-3M3 13.500h10",
  copy: "M5.5 5.500h7v7.500h-7zM3.5 10.500v-7.500h7",
  link: "M6.5 9.500l3-3M7 4.500l1-1a3 3 0 0 1 4.5 4.500l-1 1M9 11.500l-1 1a3 3 0 0 1-4.5-4.500l1-1",
  back: "M9.5 3.500L5 8l4.5 4.5",
  up: "M8 13V3.500M4 7.500l4-4 4 4",
  warning: "M8 2.500l6 11H2zM8 6.500v3.500M8 11.800v.1",
  thumbUp: "M5 7.500v6H2.500v-6zM5 7.500l2.5-5c1.3 0 2 .8 1.7 2.200l-.4 1.800h3.700c.9 0 1.5.8 1.3 1.700l-.9 4c-.2.8-.8 1.3-1.6 1.300H5",
  thumbDown: "M5 8.500v-6H2.500v6zM5 8.500l2.5 5c1.3 0 2-.8 1.7-2.200l-.4-1.800h3.700c.9 0 1.5-.8 1.3-1.700l-.9-4c-.2-.8-.8-1.3-1.6-1.300H5",
  tool: "M9.8 3a3.2 3.2 0 0 0-3.9 4.200L2.5 10.600l2.9 2.9 3.4-3.400A3.2 3.2 0 0 0 13 6.200L11 8.2 7.8 5z",
  tree: "M3.5 2.500v8.500h4M3.5 5.500h4M9.5 4h4v3h-4zM9.5 9.500h4v3h-4z",
  sun: "M8 5.200a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.600zM8 1.500v1.500M8 13v1.500M1.5 8H3M13 8h1.500M3.4 3.400l1 1M11.6 11.600l1 1M3.4 12.600l1-1M11.6 4.400l1-1",
  moon: "M13 9.500A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.500z",
  screen: "M2 3.500h12v7.500H2zM6 13.500h4M8 11v2.5",
  expand: "M9.5 2.500h4v4M13.5 2.500l-5 5M6.5 13.500h-4v-4M2.5 13.500l5-5",
  table: "M2.5 3h11v10h-11zM2.5 6.500h11M2.5 9.800h11M6.5 6.500V13",
  leave: "M9.5 3H3.500v10h6M7 8h7M11.5 5.500L14 8l-2.5 2.5",
  clip: "M11 5l-5 5a1.4 1.4 0 0 0 2 2l5-5a2.8 2.8 0 0 0-4-4l-5.2 5.200a4.2 4.2 0 0 0 6 6L13.5 10",
  key: "M10 3a3.5 3.5 0 1 0-.1 7A3.5 3.5 0 0 0 10 3zM7.5 9L2.5 13.500M4.5 12l1.5 1.5",
};

/** @typedef {keyof typeof PATHS} IconName */

/** @param {{ name: IconName }} props */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
