// Clerk's own script, without its components: signing in happens on Clerk's pages, which no policy of this page has to make room for.

import { ApiError } from "../api/client.js";
import { claimsOf } from "./claims.js";
import { setting } from "./session.js";

/**
 * What is used of Clerk's object, https://clerk.com/docs/reference/objects/clerk.
 * @typedef {object} Clerk
 * @property {(options: { telemetry: false }) => Promise<void>} load
 * @property {{ status: string, getToken: (options?: { skipCache?: boolean }) => Promise<string | null> } | null | undefined} session
 * @property {{ fullName: string | null, primaryEmailAddress: { emailAddress: string } | null, organizationMemberships: { organization: { id: string, name: string } }[] } | null | undefined} user
 * @property {{ name: string } | null | undefined} organization
 * @property {(options: { organization: string }) => Promise<void>} setActive
 * @property {(options: { redirectUrl: string }) => string} buildSignInUrl
 * @property {(options: { redirectUrl: string }) => Promise<unknown>} redirectToSignIn
 * @property {(options: { redirectUrl: string }) => Promise<unknown>} redirectToTasks
 * @property {(then: () => void) => Promise<void>} signOut
 */

/** The major version whose functions are used; the instance serves the newest of it. */
const VERSION = 6;
const UNREACHABLE = "Clerk, which signs people in, cannot be reached.";

/** @type {Promise<Clerk> | null} */
let loading = null;

/** Once; again only when it failed. */
function loaded() {
  loading ??= load().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

const present = () => /** @type {{ Clerk?: Clerk }} */ (/** @type {unknown} */ (globalThis)).Clerk;

async function load() {
  if (!present()) await run(`https://${setting("clerk-host")}/npm/@clerk/clerk-js@${VERSION}/dist/clerk.browser.js`);
  const clerk = present();
  if (!clerk) throw new Error("Clerk’s script did not start.");
  // Where it would be sent to is nothing that this page may reach.
  await clerk.load({ telemetry: false });
  return clerk;
}

/** @param {string} source */
function run(source) {
  const script = document.createElement("script");
  script.src = source;
  script.crossOrigin = "anonymous";
  script.dataset.clerkPublishableKey = setting("clerk-key");
  return new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => {
      script.remove();
      reject(new Error(UNREACHABLE));
    });
    document.head.append(script);
  });
}

/** The session at Clerk; without one, Clerk's page to sign in, and back here. @returns {Promise<import("./session.js").Session>} */
export async function signedIn() {
  const clerk = await loaded();
  const organizations = clerk.user?.organizationMemberships.map(({ organization: { id, name } }) => ({ id, name })) ?? [];
  // Somebody who is in one organization only need not choose it.
  if (clerk.session && !clerk.organization && organizations.length === 1) await clerk.setActive({ organization: organizations[0].id });
  const back = { redirectUrl: location.href };
  // Clerk wants something first, say a new password.
  if (clerk.session?.status === "pending" && (clerk.organization || organizations.length === 0)) return gone(clerk.redirectToTasks(back));
  const given = await clerk.session?.getToken();
  if (!given) {
    // Where Clerk does not answer, its script knows no page either.
    if (!clerk.buildSignInUrl(back)) throw new Error(UNREACHABLE);
    return gone(clerk.redirectToSignIn(back));
  }
  return {
    claims: claimsOf(given),
    name: clerk.user?.fullName || clerk.user?.primaryEmailAddress?.emailAddress || "Signed in",
    organization: clerk.organization?.name ?? null,
    token: ({ fresh = false } = {}) => token(clerk, fresh),
    // Where to go afterwards is decided here: to the page to sign in.
    leave: () => clerk.signOut(() => undefined),
    organizations,
    enter: (organization) => clerk.setActive({ organization }),
  };
}

/** Clerk keeps the token and replaces it before it expires. `null` when the session has ended. @param {Clerk} clerk @param {boolean} skipCache */
async function token(clerk, skipCache) {
  try {
    return (await clerk.session?.getToken({ skipCache })) ?? null;
  } catch {
    // Whether it has ended, its script knows by now; else it could not ask.
    if (!clerk.session) return null;
    throw new ApiError({ status: 0, code: "clerk_unreachable", message: UNREACHABLE });
  }
}

/** The browser is on its way to another page. @param {Promise<unknown>} leaving @returns {Promise<never>} */
async function gone(leaving) {
  await leaving;
  return new Promise(() => undefined);
}
