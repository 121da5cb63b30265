// The frame around every view: where one is, who one is, whether changes are heard of.

import { html, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./html.js";
import { useLiveness } from "./api/changes.js";
import { SessionContext } from "./session/context.js";
import { change, href, usePlace } from "./state/place.js";
import { rangeOf } from "./state/range.js";
import { chooseScheme, chosenScheme } from "./state/scheme.js";
import { Avatar } from "./ui/avatar.js";
import { Icon } from "./ui/icon.js";
import { Popover } from "./ui/popover.js";
import { ConversationPage } from "./views/conversation.js";
import { Conversations } from "./views/conversations.js";
import { FilterBar } from "./views/filter_bar.js";
import { OpenById } from "./views/open_by_id.js";
import { Overview } from "./views/overview.js";

/** The range moves with the clock; it is looked at this often, in milliseconds. */
const TICK = 30_000;

export function Shell() {
  const place = usePlace();
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), TICK);
    return () => clearInterval(timer);
  }, []);
  const range = useMemo(() => rangeOf(place, now), [place, now]);
  const alone = place.view === "conversation" && place.id !== undefined;
  const view = alone ? "conversation" : place.view === "conversations" ? "conversations" : "overview";
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  // Before the views' effects: a conversation names the page after itself.
  useLayoutEffect(() => {
    document.title = `${{ conversation: "Conversation", conversations: "Conversations", overview: "Overview" }[view]} · recap`;
  }, [view]);

  const skip = () => main.current?.focus();
  return html`<button type="button" class="skip" onClick=${skip}>Skip to the contents</button>
    <header class="top">
      <a class="brand" href=${href({})}><svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true"><path d="M10 2a8 8 0 1 1-7.4 5" /><path d="M2.5 2.5v4.5H7" /><path d="M10 6v4.2l2.8 1.6" /></svg>recap</a>
      <nav aria-label="Views">
        ${link("overview", "Overview", "overview", view === "overview", place)}
        ${link("conversations", "Conversations", "conversations", view !== "overview", place)}
      </nav>
      <${OpenById} /><${Live} /><${Person} />
    </header>
    <main class=${view} tabindex="-1" ref=${main}>
      ${!alone && html`<h1 class="unseen">${view === "overview" ? "Overview" : "Conversations"}</h1><${FilterBar} place=${place} range=${range} />`}
      ${view === "overview" ? html`<${Overview} place=${place} range=${range} />` : alone ? html`<${ConversationPage} place=${place} />` : html`<${Conversations} place=${place} range=${range} />`}
    </main>`;
}

/** @param {string} view @param {string} label @param {import("./ui/icon.js").IconName} icon @param {boolean} current @param {import("./state/place.js").Place} place */
function link(view, label, icon, current, place) {
  const to = place.view === "conversation" ? { view } : change(place, { view: view === "overview" ? undefined : view, id: undefined });
  return html`<a href=${href(to)} aria-current=${current ? "page" : undefined}><${Icon} name=${icon} /><span>${label}</span></a>`;
}

function Live() {
  const { changes } = useContext(SessionContext);
  const state = useLiveness(changes);
  const label = { connecting: "Connecting", live: "Live", away: "Reconnecting", paused: "Paused" }[state];
  return html`<button type="button" class=${`liveness ${state}`} aria-pressed=${state !== "paused"} aria-label=${`Live changes: ${label}`}
    title=${state === "paused" ? "Follow changes" : "Pause changes"} onClick=${() => changes.toggle()}><i></i><span>${label}</span></button>`;
}

function Person() {
  const { session, leave, enter } = useContext(SessionContext);
  const others = session.organizations?.filter(({ id }) => id !== session.claims.orgId) ?? [];
  const [scheme, setScheme] = useState(chosenScheme);
  const choose = (/** @type {import("./state/scheme.js").Choice} */ choice) => {
    chooseScheme(choice);
    setScheme(choice);
  };
  const schemes = /** @type {const} */ ([["system", "System", "screen"], ["light", "Light", "sun"], ["dark", "Dark", "moon"]]);
  const role = session.claims.admin ? "Administrator" : "Member";
  return html`<${Popover} label="Account" align="end" look="account"
    button=${html`<span class="unseen">Account: </span><${Avatar} name=${session.name} id=${session.claims.userId} /><span class="account-text"><span>${session.name}</span><span class="aside">${session.organization ?? role}</span></span>`}>
    ${(/** @type {() => void} */ close) => html`<div class="panel-title">${session.name}<span class="aside">${role}${session.organization ? `, ${session.organization}` : ""}</span></div>
      <div class="segments schemes" role="group" aria-label="Colours">${schemes.map(([name, label, icon]) => html`<button type="button" key=${name} aria-pressed=${scheme === name} onClick=${() => choose(name)}><${Icon} name=${icon} />${label}</button>`)}</div>
      ${others.length > 0 && html`<ul class="menu ruled" aria-label="Other organizations">${others.map(({ id, name }) => html`<li key=${id}><button type="button" class="menu-item" onClick=${() => { close(); enter(id); }}>
        <span class="unseen">Go to </span>${name}<${Icon} name="chevron" /></button></li>`)}</ul>`}
      <ul class="menu ruled"><li><a class="menu-item" href="docs" target="_blank">API reference<${Icon} name="expand" /></a></li>
        ${session.leave && html`<li><button type="button" class="menu-item" onClick=${leave}>Sign out<${Icon} name="leave" /></button></li>`}</ul>`}
  <//>`;
}
