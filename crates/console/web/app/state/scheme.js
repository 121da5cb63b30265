// Light or dark: as the system has it, or as the reader chose.

import { useEffect, useState } from "../../vendor/hooks.js";

const KEPT = "recap.scheme";
const dark = matchMedia("(prefers-color-scheme: dark)");
/** @type {Set<() => void>} */
const listeners = new Set();

/** @typedef {"system" | "light" | "dark"} Choice */

/** @returns {Choice} */
export function chosenScheme() {
  const kept = localStorage.getItem(KEPT);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** @param {Choice} choice */
export function chooseScheme(choice) {
  if (choice === "system") localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, choice);
  apply();
}

function shown() {
  const choice = chosenScheme();
  return choice === "system" ? (dark.matches ? "dark" : "light") : choice;
}

function apply() {
  document.documentElement.dataset.scheme = shown();
  for (const listener of listeners) listener();
}

dark.addEventListener("change", apply);
apply();

/** What is shown now. */
export function useScheme() {
  const [scheme, setScheme] = useState(shown);
  useEffect(() => {
    const listener = () => setScheme(shown());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return scheme;
}
