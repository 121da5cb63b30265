// The API's filter, from where the reader is and who they are.

import { CONDITIONS } from "./place.js";

/** @typedef {import("./place.js").Place} Place */
/** @typedef {{ from: Date, to: Date }} Span */

/**
 * @param {Place} place
 * @param {Span} span
 * @param {{ admin: boolean }} caller
 */
export function filterOf(place, span, caller) {
  const query = new URLSearchParams({ from: span.from.toISOString(), to: span.to.toISOString() });
  if (place.rangeOn === "updatedAt") query.set("rangeOn", "updatedAt");
  if (everyone(place, caller)) query.set("allInOrg", "true");
  for (const name of CONDITIONS) {
    const value = place[name];
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

/**
 * Whether the whole organization is asked for. A link says so with `scope`; administrators see everyone unless it says otherwise.
 * @param {Place} place
 * @param {{ admin: boolean }} caller
 */
export function everyone(place, caller) {
  return place.scope ? place.scope === "all" : caller.admin;
}
