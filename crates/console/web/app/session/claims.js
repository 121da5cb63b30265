// What a session token says of its holder. Only for what the page offers: what one may see is the service's decision.

/** @typedef {{ userId: string | null, orgId: string | null, admin: boolean, expires: number }} Claims */

/** @param {string} token @returns {Claims} */
export function claimsOf(token) {
  /** @type {any} */
  let claims = {};
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    claims = JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    // A token that cannot be read says nothing; the service will refuse it.
  }
  const organization = claims.o && typeof claims.o === "object" ? claims.o : null;
  return {
    userId: text(claims.sub),
    orgId: text(organization ? organization.id : claims.org_id),
    admin: organization ? organization.rol === "admin" : claims.org_role === "org:admin",
    expires: typeof claims.exp === "number" ? claims.exp * 1_000 : Infinity,
  };
}

/** @param {unknown} value */
const text = (value) => (typeof value === "string" && value ? value : null);
