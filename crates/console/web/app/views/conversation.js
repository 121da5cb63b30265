// One conversation: everything that the API has of it.

import { html, useContext, useEffect, useRef } from "../html.js";
import { useAnswer } from "../api/answer.js";
import { namesOf } from "../api/names.js";
import { agentName, compact, count, duration, personName, whole } from "../format.js";
import { SessionContext } from "../session/context.js";
import { change, href } from "../state/place.js";
import { Avatar } from "../ui/avatar.js";
import { Copy } from "../ui/copy.js";
import { Disclosure } from "../ui/disclosure.js";
import { Icon } from "../ui/icon.js";
import { Json } from "../ui/json.js";
import { Failure } from "../ui/notice.js";
import { Time } from "../ui/time.js";
import { FeedbackList } from "./feedback.js";
import { listed } from "./list_store.js";
import { ToolCalls } from "./tool_calls.js";

/** @typedef {import("../api/contract.js").Conversation} Conversation */
/** @typedef {import("../state/place.js").Place} Place */

/** Beside the list. @param {{ id: string, place: Place, onClose: () => void }} props */
export function ConversationPane({ id, place, onClose }) {
  const pane = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => pane.current?.focus({ preventScroll: true }), []);
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    onClose();
    const list = document.querySelector("[role=treegrid]");
    if (list instanceof HTMLElement) list.focus();
  };
  return html`<section class="pane" aria-label="Conversation" tabindex="-1" ref=${pane} onKeyDown=${keys}>
    <${Contents} id=${id} place=${place} tools=${html`
      <a class="icon-button" href=${href({ view: "conversation", id })} aria-label="Open alone" title="Open alone"><${Icon} name="expand" /></a>
      <button type="button" class="icon-button" aria-label="Close" title="Close (Esc)" onClick=${onClose}><${Icon} name="close" /></button>`} />
  </section>`;
}

/** By itself. @param {{ place: Place }} props */
export function ConversationPage({ place }) {
  return html`<div class="alone"><${Contents} key=${place.id} id=${place.id ?? ""} place=${place}
    tools=${html`<a class="quiet all" href=${href({ view: "conversations" })}><${Icon} name="back" />All conversations</a>`} /></div>`;
}

/** @param {{ id: string, place: Place, tools: any }} props */
function Contents({ id, place, tools }) {
  const { session } = useContext(SessionContext);
  const answer = /** @type {import("../api/answer.js").Answer<Conversation>} */ (useAnswer("getInteraction", new URLSearchParams({ id }).toString()));
  const { data, error, again } = answer;
  // What the list knows is shown until the answer is there.
  const row = data ?? (error ? null : listed(session, id));
  useEffect(() => {
    if (data) namesOf(session).learn([data]);
  }, [data]);
  if (!row) {
    return html`<header class="detail-head"><h1 class="unseen">Conversation</h1><div class="detail-tools">${tools}</div></header>
      ${error ? html`<${Failure} error=${error} again=${again} />` : html`<div class="waiting" role="status"><span class="unseen">Loading the conversation</span>
        ${[0, 1, 2, 3].map((index) => html`<div class="waiting-row" key=${index}><i></i><i></i></div>`)}</div>`}`;
  }
  return html`<${Detail} row=${row} place=${place} tools=${tools} />`;
}

/** @param {{ row: Conversation, place: Place, tools: any }} props */
function Detail({ row, place, tools }) {
  const share = new URL(href({ view: "conversation", id: row.id }), location.href).href;
  /** @param {string} id */
  const link = (id) => href(change(place, { id }));
  const parent = row.upstreamConversationId, title = row.firstMessageText ?? "No message yet";
  useEffect(() => {
    const before = document.title;
    document.title = `${title} · recap`;
    return () => {
      document.title = before;
    };
  }, [title]);
  return html`
    <header class="detail-head">
      <div class="detail-tools">
        ${parent && html`<a class="quiet up" href=${link(parent)}><${Icon} name="up" />Parent conversation</a>`}
        <${Copy} text=${share} label="Copy link to this conversation" shown="Copy link" icon="link" look="quiet" />${tools}
      </div>
      <h1>${title}</h1>
      <p class="byline"><${Avatar} name=${personName(row)} id=${row.userId} />${personName(row)} with
        <${Avatar} name=${agentName(row)} id=${row.agentId} shape="square" />${agentName(row)}<span class="aside"><${Time} at=${row.createdAt} full /></span></p>
    </header>
    <dl class="facts">
      ${fact("Messages", whole(row.totalMessageCount), `${whole(row.userMessageCount)} user, ${whole(row.assistantMessageCount)} assistant`)}
      ${fact("Tokens", compact(row.totalTokens), `${whole(row.inputTokens)} in, ${whole(row.outputTokens)} out`)}
      ${fact("Duration", duration(row.duration), html`updated <${Time} at=${row.updatedAt} />`)}
      ${fact("Feedback", row.totalFeedback ? `${row.totalHelpful} of ${row.totalFeedback}` : "None", row.totalFeedback ? "helpful" : "nobody rated it")}
    </dl>
    ${row.toolCalls.length > 0 && section("Tool calls", html`<${ToolCalls} calls=${row.toolCalls} begun=${row.createdAt} />`, row.toolCalls.length)}
    ${row.feedbackData.length > 0 && section("Feedback", html`<${FeedbackList} entries=${row.feedbackData} />`, row.feedbackData.length)}
    ${row.subConversations.length > 0 && section("Sub-conversations", html`<${Tree} rows=${row.subConversations} link=${link} />`)}
    ${section("Details", html`<dl class="details">
      ${detail("Conversation", identifier(row.id, "conversation id"))}
      ${parent && detail("Parent", html`<a href=${link(parent)}><code>${parent}</code></a>`)}
      ${detail("Agent", html`${agentName(row)}${row.agentId !== null && html` <code>${row.agentId}</code>`}`)}
      ${detail("Model", row.agentModel ? html`<code>${row.agentModel}</code>` : "–")}
      ${row.agentLogoUrl && detail("Agent’s logo", html`<code class="long">${row.agentLogoUrl}</code>`)}
      ${detail("User", html`${personName(row)}${row.userEmail && html`<br /><span class="aside">${row.userEmail}</span>`}`)}
      ${row.userId && detail("User id", identifier(row.userId, "user id"))}
      ${detail("Created", html`<${Time} at=${row.createdAt} full />`)}
      ${detail("Updated", html`<${Time} at=${row.updatedAt} full />`)}
      ${detail("Finish reason", row.lastFinishReason ? html`<code>${row.lastFinishReason}</code>` : "–")}
      ${detail("Attachments", whole(row.attachmentCount))}
    </dl>
    ${Object.keys(row.userPublicMetadata).length > 0 && html`<${Json} value=${row.userPublicMetadata} label="User’s metadata" />`}`)}
    <${Disclosure} look="raw" summary="The API’s answer">${() => html`<${Json} value=${row} label="Conversation" />`}<//>`;
}

/** @param {string} title @param {any} contents @param {number} [many] */
const section = (title, contents, many) => html`<section class="detail-section"><h2>${title}${many !== undefined && html` <span class="tally">${many}</span>`}</h2>${contents}</section>`;
/** @param {string} name @param {string} value @param {any} note */
const fact = (name, value, note) => html`<div class="fact"><dt>${name}</dt><dd><strong>${value}</strong><span class="aside">${note}</span></dd></div>`;
/** @param {string} name @param {any} value */
const detail = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
/** @param {string} id @param {string} what */
const identifier = (id, what) => html`<span class="identifier"><code>${id}</code><${Copy} text=${id} label=${`Copy the ${what}`} /></span>`;

/** @param {{ rows: Conversation[], link: (id: string) => string }} props */
function Tree({ rows, link }) {
  return html`<ul class="tree">${rows.map((row) => html`<li key=${row.id}>
    <a href=${link(row.id)}><${Avatar} name=${agentName(row)} id=${row.agentId} shape="square" /><span class="tree-text"><span>${row.firstMessageText ?? "No message yet"}</span>
      <span class="aside">${agentName(row)}, ${count(row.totalMessageCount, "message")}, ${duration(row.duration)}</span></span></a>
    ${row.subConversations.length > 0 && html`<${Tree} rows=${row.subConversations} link=${link} />`}</li>`)}</ul>`;
}
