// What stands where there is nothing to show: nothing found, an error, something forbidden, a session that has ended.

import { ApiError } from "../api/client.js";
import { html, useContext } from "../html.js";
import { SessionContext } from "../session/context.js";
import { change, go, usePlace } from "../state/place.js";
import { Icon } from "./icon.js";

/** Alone: it is what the page is about. @param {{ icon: import("./icon.js").IconName, title: string, children?: any, actions?: any, tone?: "plain" | "bad", alone?: boolean }} props */
export function Notice({ icon, title, children, actions, tone = "plain", alone = false }) {
  return html`<div class=${`notice ${tone}`} role=${tone === "bad" ? "alert" : "status"}>
    <span class="notice-icon"><${Icon} name=${icon} /></span>
    ${alone ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}
    ${children && html`<p>${children}</p>`}
    ${actions && html`<div class="notice-actions">${actions}</div>`}
  </div>`;
}

/** Why an answer is missing, and what can be done. @param {{ error: unknown, again: () => void }} props */
export function Failure({ error, again }) {
  const { session, leave } = useContext(SessionContext);
  const place = usePlace();
  const retry = html`<button type="button" class="button" onClick=${again}>Try again</button>`;
  if (!(error instanceof ApiError)) {
    return html`<${Notice} icon="warning" tone="bad" title="This page made a mistake" actions=${retry}>${error instanceof Error ? error.message : String(error)}<//>`;
  }
  if (error.status === 401 && !session.leave) {
    return html`<${Notice} icon="key" tone="bad" title="Your session has ended" actions=${html`<button type="button" class="button primary" onClick=${leave}>Try again</button>`}>
      Sign in to your application in this browser: this place shows again as soon as you are.<//>`;
  }
  if (error.status === 401) {
    return html`<${Notice} icon="key" tone="bad" title="Your session has ended" actions=${html`<button type="button" class="button primary" onClick=${leave}>Sign in again</button>`}>
      Nothing is lost: after signing in you are back at this place.<//>`;
  }
  if (error.code === "no_organization") {
    return html`<${Notice} icon="key" tone="bad" title="No organization is chosen" actions=${html`<button type="button" class="button" onClick=${leave}>Sign in differently</button>`}>
      Conversations belong to an organization, and your session is in none.<//>`;
  }
  if (error.status === 403) {
    const mine = html`<button type="button" class="button primary" onClick=${() => go(change(place, { scope: "mine", userId: undefined }))}>Show my conversations</button>`;
    return html`<${Notice} icon="key" tone="bad" title="Only administrators may see this" actions=${mine}>
      This link asks for conversations of others in the organization. You may see your own.<//>`;
  }
  if (error.status === 404) {
    const list = html`<a class="button" href="?view=conversations">All conversations</a>`;
    return html`<${Notice} icon="search" title="There is no such conversation" actions=${list}>It may be deleted, or belong to somebody whose conversations you may not see.<//>`;
  }
  if (error.status === 400) {
    const reset = html`<button type="button" class="button" onClick=${() => go({ view: place.view ?? "overview" })}>Reset filters</button>`;
    return html`<${Notice} icon="filter" tone="bad" title="This filter cannot be read" actions=${reset}>${error.message}<//>`;
  }
  const away = error.code === "clerk_unreachable" ? "Your session cannot be renewed" : "The service cannot be reached";
  const title = error.status === 0 ? away : error.status === 503 || error.status === 429 ? "The service is busy" : "The service failed";
  return html`<${Notice} icon="warning" tone="bad" title=${title} actions=${retry}>
    ${error.code === "clerk_unreachable" && `${error.message} `}${error.status === 0 ? "The page tries again by itself." : error.message}${error.requestId && html`<small class="request">Request ${error.requestId}</small>`}<//>`;
}
