// What people said of a conversation.

import { html } from "../html.js";
import { useNames } from "../api/names.js";
import { Avatar } from "../ui/avatar.js";
import { Icon } from "../ui/icon.js";
import { Time } from "../ui/time.js";

/** @param {{ entries: import("../api/contract.js").Feedback[] }} props */
export function FeedbackList({ entries }) {
  // Names are those that are known from the conversations seen; nothing is asked for a comment's author alone.
  const name = useNames("userId", [], "");
  return html`<ul class="comments">${entries.map((entry) => html`<li key=${entry.feedbackId} class=${entry.helpful ? "comment good" : "comment bad"}>
    <span class="comment-mark"><${Icon} name=${entry.helpful ? "thumbUp" : "thumbDown"} /></span>
    <div><p class="comment-text">${entry.comment || html`<span class="aside">${entry.helpful ? "Helpful" : "Not helpful"}, without a comment</span>`}</p>
      <p class="aside">${entry.comment && html`<span>${entry.helpful ? "Helpful" : "Not helpful"}, </span>`}${entry.userId && html`<${Avatar} name=${name(entry.userId) ?? ""} id=${entry.userId} />${name(entry.userId)}, `}
        <${Time} at=${entry.createdAt} full /></p></div>
  </li>`)}</ul>`;
}
