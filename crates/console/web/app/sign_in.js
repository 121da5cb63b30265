// Before anything is shown: the sample's people in `recap dev`, Clerk's pages in production, a token of one's own; and the choice of an organization.

import { html, useEffect, useState } from "./html.js";
import { people, sessionOf } from "./session/dev.js";
import { MODE, pasted } from "./session/session.js";
import { Avatar } from "./ui/avatar.js";
import { Notice } from "./ui/notice.js";

/** @typedef {import("./session/session.js").Session} Session */

/** @param {{ onSession: (session: Session) => void, problem: string | null, again: () => void }} props */
export function SignIn({ onSession, problem, again }) {
  const retry = html`<button type="button" class="button primary" onClick=${again}>Try again</button>`;
  return html`<${Box}>
    ${problem && html`<${Notice} alone icon="warning" tone="bad" title="Signing in did not work" actions=${retry}>${problem}<//>`}
    ${MODE === "dev" ? html`<${People} onSession=${onSession} />` : null}
    ${MODE === "cookie" ? html`<${Notice} alone icon="key" title="You are not signed in" actions=${retry}>Sign in to your application in this browser, then try again.<//>` : null}
    ${MODE === "dev" || MODE === "token" ? html`<${Token} onSession=${onSession} alone=${MODE === "token"} />` : null}
  <//>`;
}

/** Somebody whose session is in no organization. @param {{ session: Session, onEnter: (organization: string) => void, onLeave: () => void }} props */
export function NoOrganization({ session, onEnter, onLeave }) {
  const { organizations = [] } = session;
  const leave = html`<button type="button" class="button" onClick=${onLeave}>${session.leave ? "Sign in as somebody else" : "Try again"}</button>`;
  if (organizations.length === 0) {
    return html`<${Box}><${Notice} alone icon="key" title="You are in no organization" actions=${leave}>
      Conversations belong to organizations, and your session is in none. ${session.leave ? "Ask an administrator to invite you to one." : "Choose one in your application in this browser, then try again."}<//><//>`;
  }
  return html`<${Box}><h1>Which organization?</h1>
    <p class="lead">You are ${session.name}. Conversations belong to one organization each.</p>
    <ul class="people">${organizations.map(({ id, name }) => html`<li key=${id}><button type="button" class="person-card" onClick=${() => onEnter(id)}>
      <${Avatar} name=${name} id=${id} shape="square" /><span class="person-text"><strong>${name}</strong></span></button></li>`)}</ul>
    <p>${leave}</p><//>`;
}

/** @param {{ children?: any }} props */
function Box({ children }) {
  return html`<main class="sign-in" tabindex="-1"><div class="sign-in-box"><p class="brand large">recap</p>${children}</div></main>`;
}

/** @param {{ onSession: (session: Session) => void }} props */
function People({ onSession }) {
  const [state, setState] = useState(/** @type {{ found: import("./session/dev.js").DevPerson[] | null, problem: string | null }} */ ({ found: null, problem: null }));
  useEffect(() => {
    people().then((found) => setState({ found, problem: null }), (error) => setState({ found: null, problem: error.message }));
  }, []);
  return html`<h1>Who would you like to be?</h1>
    <p class="lead">The sample’s people. Each sees what their organization and role allow, and nothing else.</p>
    ${state.problem && html`<p class="hint" role="alert">${state.problem}</p>`}
    <ul class="people">${state.found?.map((person) => html`<li key=${person.id}><button type="button" class="person-card" onClick=${() => onSession(sessionOf(person))}>
      <${Avatar} name=${person.name} id=${person.id} /><span class="person-text"><strong>${person.name}</strong><span>${person.role}, ${person.organization}</span><span class="aside">${person.sees}</span></span></button></li>`)}</ul>`;
}

/** @param {{ onSession: (session: Session) => void, alone: boolean }} props */
function Token({ onSession, alone }) {
  const [token, setToken] = useState("");
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (token.trim()) onSession(pasted(token.trim()));
  };
  const form = html`<form class="form" onSubmit=${submit}>
    <label>Session token<textarea class="field" rows="3" spellcheck=${false} autocomplete="off" value=${token} onInput=${(/** @type {any} */ event) => setToken(event.target.value)}></textarea></label>
    <button type="submit" class="button primary" disabled=${!token.trim()}>Sign in with it</button></form>`;
  if (!alone) return html`<details class="own-token"><summary>Or use a token, from <code>recap token</code></summary>${form}</details>`;
  return html`<h1>Sign in with a token</h1><p class="lead">This service has no <code>CLERK_PUBLISHABLE_KEY</code>, so the page cannot sign you in by itself. A session token of your organization opens it.</p>${form}`;
}
