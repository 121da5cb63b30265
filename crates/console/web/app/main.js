// Starts the page: finds out who is signed in, then shows the views or the way to sign in.

import { render } from "../vendor/preact.js";
import { Changes } from "./api/changes.js";
import { html, useEffect, useMemo, useState } from "./html.js";
import { signedIn } from "./session/clerk.js";
import { SessionContext } from "./session/context.js";
import { chosenBefore } from "./session/dev.js";
import { MODE, ofCookie, pastedBefore } from "./session/session.js";
import { Shell } from "./shell.js";
import { NoOrganization, SignIn } from "./sign_in.js";
import { go } from "./state/place.js";

/** @typedef {import("./session/session.js").Session} Session */

/** @returns {Promise<Session | null>} */
async function found() {
  if (MODE === "clerk") return signedIn();
  if (MODE === "cookie") return ofCookie();
  return pastedBefore() ?? (MODE === "dev" ? chosenBefore() : null);
}

/** @typedef {{ session: Session | null, looking: boolean, problem: string | null }} State */

function Page() {
  const [state, setState] = useState(/** @type {State} */ ({ session: null, looking: true, problem: null }));
  const show = (/** @type {Partial<State>} */ some) => setState({ session: null, looking: false, problem: null, ...some });
  const failed = (/** @type {unknown} */ error) => show({ problem: error instanceof Error ? error.message : String(error) });
  const look = () => {
    show({ looking: true });
    found().then((session) => show({ session }), failed);
  };
  useEffect(look, []);

  const { session } = state;
  // What cannot be read is left to the service to refuse.
  const homeless = session !== null && session.claims.userId !== null && session.claims.orgId === null;
  const signed = useMemo(() => session && !homeless ? {
    session,
    changes: new Changes(session),
    leave: () => leave(session),
    enter: (/** @type {string} */ organization) => enter(session, organization),
  } : null, [session]);
  useEffect(() => () => signed?.changes.stop(), [signed]);

  const leave = async (/** @type {Session} */ left) => {
    try {
      await left.leave?.();
    } catch (error) {
      return failed(error);
    }
    if (MODE === "clerk" || MODE === "cookie") look();
    else show({});
  };
  const enter = async (/** @type {Session} */ entered, /** @type {string} */ organization) => {
    try {
      await entered.enter?.(organization);
    } catch (error) {
      return failed(error);
    }
    // What was looked at is the other organization's.
    go({});
    look();
  };

  if (signed) return html`<${SessionContext.Provider} value=${signed}><${Shell} /><//>`;
  if (state.looking) return html`<main class="sign-in"><p class="sign-in-wait" role="status">Signing in…</p></main>`;
  if (session) return html`<${NoOrganization} session=${session} onEnter=${(/** @type {string} */ organization) => enter(session, organization)} onLeave=${() => leave(session)} />`;
  return html`<${SignIn} problem=${state.problem} again=${look} onSession=${(/** @type {Session} */ chosen) => show({ session: chosen })} />`;
}

const root = document.getElementById("page");
if (root) render(html`<${Page} />`, root);
