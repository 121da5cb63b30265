// The tools that a conversation called, in the order of time, with what they were given and what they answered.

import { html, useMemo } from "../html.js";
import { duration, utc } from "../format.js";
import { Disclosure } from "../ui/disclosure.js";
import { Icon } from "../ui/icon.js";
import { Json } from "../ui/json.js";

/** @typedef {import("../api/contract.js").ToolCall} ToolCall */

/** @param {{ calls: ToolCall[], begun: string }} props */
export function ToolCalls({ calls, begun }) {
  const { ordered, start, length } = useMemo(() => {
    const times = calls.flatMap((call) => [time(call.startedAt), time(call.finishedAt)]).filter((at) => at !== null);
    const first = Math.min(time(begun) ?? Infinity, ...times), last = Math.max(...times, first + 1);
    return { ordered: [...calls].sort((a, b) => key(a) - key(b)), start: first, length: last - first };
  }, [calls, begun]);
  return html`<ol class="calls">${ordered.map((call) => html`<${Call} key=${call.toolCallId} call=${call} start=${start} length=${length} />`)}</ol>`;
}

/** @param {string | null} text */
const time = (text) => (text === null ? null : Date.parse(text));
/** @param {ToolCall} call */
const key = (call) => time(call.startedAt) ?? time(call.finishedAt) ?? Infinity;

/** @param {{ call: ToolCall, start: number, length: number }} props */
function Call({ call, start, length }) {
  const begun = time(call.startedAt), ended = time(call.finishedAt);
  const failed = call.error !== null, answered = failed || call.result !== null || ended !== null;
  const took = begun !== null && ended !== null ? duration((ended - begun) / 1_000) : null;
  const left = (((begun ?? ended ?? start) - start) / length) * 100;
  const width = begun !== null && ended !== null ? ((ended - begun) / length) * 100 : 0;
  const summary = html`
      <span class="call-state"><${Icon} name=${failed ? "warning" : answered ? "check" : "tool"} /></span>
      <span class="call-name">${call.toolName ?? "Unnamed tool"}</span>
      <span class="call-preview">${preview(failed ? call.error : call.args)}</span>
      <span class="call-facts">${failed && html`<span class="badge bad">failed</span>`}${!answered && html`<span class="badge">no answer</span>`}
        ${took !== null && html`<span title=${`${utc(call.startedAt ?? "")} to ${utc(call.finishedAt ?? "")}`}>${took}</span>`}</span>
      <span class="call-line" aria-hidden="true"><i style=${{ left: `${Math.min(left, 99)}%`, width: `${Math.max(width, 0.8)}%` }}></i></span>`;
  return html`<li class=${failed ? "call failed" : "call"}><${Disclosure} summary=${summary}>${() => html`
    <div class="call-body">
      ${failed && html`<${Json} value=${call.error} label="Error" />`}
      ${call.args !== null && html`<${Json} value=${call.args} label="Arguments" />`}
      ${call.result !== null && html`<${Json} value=${call.result} label="Result" />`}
      <p class="aside">Call <code>${call.toolCallId}</code>${call.messageId && html`, of message <code>${call.messageId}</code>`}${begun !== null && html`, after ${duration((begun - start) / 1_000)}`}</p>
    </div>`}<//></li>`;
}

/** One line of JSON. @param {unknown} value */
function preview(value) {
  const text = value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
