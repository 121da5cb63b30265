// The people of `recap dev`'s sample. Their tokens come from the service, which signs them anew for each question.

import { claimsOf } from "./claims.js";
import { MARGIN } from "./session.js";

/** @typedef {{ id: string, name: string, role: string, organization: string, sees: string, token: string }} DevPerson */

const KEPT = "recap.person";

/** @returns {Promise<DevPerson[]>} */
export async function people() {
  const response = await fetch("console/dev-session.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`The sample's people cannot be listed: ${response.status}`);
  return (await response.json()).people;
}

/** @param {DevPerson} person @returns {import("./session.js").Session} */
export function sessionOf(person) {
  sessionStorage.setItem(KEPT, person.id);
  let token = person.token;
  return {
    claims: claimsOf(token),
    name: person.name,
    organization: person.organization,
    async token({ fresh = false } = {}) {
      if (fresh || claimsOf(token).expires - Date.now() < MARGIN) {
        const again = (await people()).find(({ id }) => id === person.id);
        if (again) token = again.token;
      }
      return token;
    },
    leave: () => sessionStorage.removeItem(KEPT),
  };
}

/** The person chosen before in this tab. */
export async function chosenBefore() {
  const chosen = sessionStorage.getItem(KEPT);
  if (!chosen) return null;
  const person = (await people()).find(({ id }) => id === chosen);
  return person ? sessionOf(person) : null;
}
