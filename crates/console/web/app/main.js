// Starts the page: finds out who is signed in, then shows the views or the way to sign in.

import { render } from "../vendor/preact.js";
import { Changes } from "./api/changes.js";
import { html, useEffect, useMemo, useState } from "./html.js";
import { signedIn } from "./session/clerk.js";
import { SessionContext } from "./session/context.js";
import { chosenBefore } from "./session/dev.js";
import { MODE, ofCookie, pastedBefore } from "./session/session.js";
import { Shell } from "./shell.js";
import { SignIn } from "./sign_in.js";

/** @typedef {import("./session/session.js").Session} Session */

/** @returns {Promise<Session | null>} */
async function found() {
  if (MODE === "clerk") return signedIn();
  if (MODE === "cookie") return ofCookie();
  return pastedBefore() ?? (MODE === "dev" ? chosenBefore() : null);
}

function Page() {
  const [state, setState] = useState(/** @type {{ session: Session | null, looking: boolean, problem: string | null }} */ ({ session: null, looking: true, problem: null }));
  const look = () => {
    found().then((session) => setState({ session, looking: false, problem: null }), (error) => setState({ session: null, looking: false, problem: error.message }));
  };
  useEffect(look, []);
  const { session } = state;
  const signed = useMemo(() => session && {
    session,
    changes: new Changes(session),
    leave: async () => {
      await session.leave();
      setState({ session: null, looking: false, problem: null });
      if (MODE === "clerk" || MODE === "cookie") look();
    },
  }, [session]);
  useEffect(() => () => signed?.changes.stop(), [signed]);

  if (signed) return html`<${SessionContext.Provider} value=${signed}><${Shell} /><//>`;
  if (state.looking) return html`<main class="sign-in"><p class="unseen" role="status">Signing in</p></main>`;
  return html`<${SignIn} problem=${state.problem} onSession=${(/** @type {Session} */ chosen) => setState({ session: chosen, looking: false, problem: null })} />`;
}

const root = document.getElementById("page");
if (root) render(html`<${Page} />`, root);
