// Who is signed in. A source gives tokens; which source there is, the page's head says.

import { claimsOf } from "./claims.js";

/**
 * @typedef {object} Session
 * @property {import("./claims.js").Claims} claims
 * @property {string} name The person's name, or the user's id.
 * @property {string | null} organization The organization's name, where it is known.
 * @property {(options?: { fresh?: boolean }) => Promise<string | null>} token `null` where a cookie says who asks. Fresh: not the one of before.
 * @property {(() => void | Promise<void>) | null} leave Ends it; `null` where something else began it and has to end it.
 * @property {(listener: () => void) => () => void} [renewed] Hears of it where something else renews it; gives how to hear no longer.
 * @property {{ id: string, name: string }[]} [organizations] Those that the person is in, where that is known.
 * @property {(organization: string) => Promise<void>} [enter] Makes one of them that of the session.
 */

/** Tokens are replaced this long before they expire, in milliseconds. */
export const MARGIN = 20_000;

/** @param {string} name */
export function setting(name) {
  return document.querySelector(`meta[name="recap-${name}"]`)?.getAttribute("content") ?? "";
}

/** @typedef {"dev" | "clerk" | "cookie" | "token"} Mode */
export const MODE = /** @type {Mode} */ (setting("session") || "token");

const KEPT = "recap.token";

/** A token that somebody pasted; it lasts as long as the tab. @param {string} token @returns {Session} */
export function pasted(token) {
  sessionStorage.setItem(KEPT, token);
  const claims = claimsOf(token);
  return {
    claims,
    name: claims.userId ?? "Unknown user",
    organization: null,
    token: () => Promise.resolve(token),
    leave: () => sessionStorage.removeItem(KEPT),
  };
}

/** The session of a token pasted before in this tab. */
export function pastedBefore() {
  const token = sessionStorage.getItem(KEPT);
  return token ? pasted(token) : null;
}

/** The session that the browser's own cookie is, which the application around this page keeps; `null` without one. @returns {Session | null} */
export function ofCookie() {
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("__session="));
  if (!cookie) return null;
  const claims = claimsOf(cookie.slice("__session=".length));
  return { claims, name: claims.userId ?? "Signed in", organization: null, token: () => Promise.resolve(null), leave: null, renewed };
}

/** @param {() => void} listener */
function renewed(listener) {
  // Browsers without it ask again after a while.
  globalThis.cookieStore?.addEventListener("change", listener);
  return () => globalThis.cookieStore?.removeEventListener("change", listener);
}
