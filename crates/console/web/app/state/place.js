// Where the reader is: everything that the page shows follows from the URL's query, so that back, forward and a shared link work.

import { useEffect, useState } from "../../vendor/hooks.js";

/** Parameters of the filter that one condition each comes from. */
export const CONDITIONS = /** @type {const} */ ([
  "agentId", "model", "toolName", "userId", "feedback", "toolError", "metadataKey", "metadataValue",
]);
const NAMES = /** @type {const} */ ([
  "view", "id", "range", "from", "to", "rangeOn", "scope", ...CONDITIONS, "sort", "interval", "split",
]);

/** @typedef {typeof CONDITIONS[number]} Condition */
/** @typedef {Partial<Record<typeof NAMES[number], string>>} Place */

/** @type {Set<(place: Place) => void>} */
const listeners = new Set();

/**
 * @param {string} search
 * @returns {Place}
 */
export function read(search) {
  const given = new URLSearchParams(search);
  /** @type {Place} */
  const place = {};
  for (const name of NAMES) {
    const value = given.get(name);
    // Only a value of metadata may be empty; everything else that is empty means nothing.
    if (value || (value === "" && name === "metadataValue")) place[name] = value;
  }
  return place;
}

/** A link to a place, relative to the page. @param {Place} place */
export function href(place) {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    const value = place[name];
    if (value !== undefined) query.set(name, value);
  }
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

export function here() {
  return read(location.search);
}

/**
 * @param {Place} place
 * @param {{ replace?: boolean }} [options]
 */
export function go(place, { replace = false } = {}) {
  const url = href(place);
  if (url === location.search || (!location.search && url === location.pathname)) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  tell();
}

function tell() {
  const place = here();
  for (const listener of listeners) listener(place);
}

addEventListener("popstate", tell);

// Links to places of this page are followed without loading it again.
addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href, location.href);
  if (url.origin !== location.origin || url.pathname !== location.pathname || url.hash) return;
  event.preventDefault();
  go(read(url.search));
});

/** @returns {Place} */
export function usePlace() {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    listeners.add(setPlace);
    setPlace(here());
    return () => void listeners.delete(setPlace);
  }, []);
  return place;
}

/**
 * The same place with other parameters; `undefined` takes one away.
 * @param {Place} place
 * @param {{ [name in keyof Place]: string | undefined }} changes
 * @returns {Place}
 */
export function change(place, changes) {
  const changed = { ...place, ...changes };
  for (const name of NAMES) if (changed[name] === undefined) delete changed[name];
  return /** @type {Place} */ (changed);
}

/** The place without any condition. @param {Place} place */
export function unfiltered(place) {
  return change(place, Object.fromEntries(CONDITIONS.map((name) => [name, undefined])));
}

/** @param {Place} place */
export function conditions(place) {
  return CONDITIONS.filter((name) => place[name] !== undefined);
}
