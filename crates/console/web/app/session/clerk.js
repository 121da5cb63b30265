// Clerk's own script, without its components: signing in happens on Clerk's pages, which no policy of this page has to make room for.

import { claimsOf } from "./claims.js";
import { setting } from "./session.js";

/**
 * @typedef {object} Clerk
 * @property {(options: object) => Promise<void>} load
 * @property {{ getToken: (options?: { skipCache?: boolean }) => Promise<string | null> } | null | undefined} session
 * @property {{ fullName: string | null, primaryEmailAddress?: { emailAddress: string } | null, organizationMemberships?: { organization: { id: string } }[] } | null | undefined} user
 * @property {{ name: string } | null | undefined} organization
 * @property {(options: { organization: string }) => Promise<void>} setActive
 * @property {(options: { redirectUrl: string }) => Promise<unknown>} redirectToSignIn
 * @property {(options?: { redirectUrl: string }) => Promise<void>} signOut
 */

/** @returns {Promise<Clerk>} */
async function loaded() {
  const script = document.createElement("script");
  script.src = `https://${setting("clerk-host")}/npm/@clerk/clerk-js@5/dist/clerk.headless.browser.js`;
  script.crossOrigin = "anonymous";
  script.dataset.clerkPublishableKey = setting("clerk-key");
  await new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("Clerk cannot be reached.")));
    document.head.append(script);
  });
  const clerk = /** @type {{ Clerk?: Clerk }} */ (/** @type {unknown} */ (globalThis)).Clerk;
  if (!clerk) throw new Error("Clerk's script did not start.");
  await clerk.load({});
  return clerk;
}

/** The session at Clerk; without one, Clerk's page to sign in, and back here. @returns {Promise<import("./session.js").Session>} */
export async function signedIn() {
  const clerk = await loaded();
  const first = clerk.user?.organizationMemberships?.[0];
  // Somebody who is in one organization only need not choose it.
  if (clerk.session && !clerk.organization && first) await clerk.setActive({ organization: first.organization.id });
  const token = await clerk.session?.getToken();
  if (!token) {
    await clerk.redirectToSignIn({ redirectUrl: location.href });
    // The browser is on its way to another page.
    return new Promise(() => undefined);
  }
  return {
    claims: claimsOf(token),
    name: clerk.user?.fullName || clerk.user?.primaryEmailAddress?.emailAddress || "Signed in",
    organization: clerk.organization?.name ?? null,
    // Clerk keeps the token and replaces it before it expires.
    token: async ({ fresh = false } = {}) => (await clerk.session?.getToken({ skipCache: fresh })) ?? null,
    leave: () => clerk.signOut({ redirectUrl: location.href }),
  };
}
