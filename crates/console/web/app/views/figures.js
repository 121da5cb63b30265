// The figures of a range, each beside the range before; each leads to the conversations that make it.

import { html } from "../html.js";
import { change as changeOf, changeText, compact, count, percent, whole } from "../format.js";
import { change, href } from "../state/place.js";
import { Sparkline } from "../ui/chart.js";

/** @typedef {import("../api/contract.js").Stats} Stats */
/** @typedef {import("../api/contract.js").Bucket} Bucket */

/** @param {Stats} stats */
const helpfulShare = (stats) => (stats.totalFeedback ? stats.totalHelpful / stats.totalFeedback : null);

/**
 * @param {{ place: import("../state/place.js").Place, range: import("../state/range.js").Range, now: Stats | null, before: Stats | null, failing: Stats | null,
 *   failingBefore: Stats | null, course: Bucket[] | null, failingCourse: Bucket[] | null }} props
 */
export function FigureTiles({ place, range, now, before, failing, failingBefore, course, failingCourse }) {
  const list = change(place, { view: "conversations", id: undefined });
  /** @param {Stats | null} some @param {Stats | null} all */
  const share = (some, all) => (some && all?.conversationCount ? some.conversationCount / all.conversationCount : null);
  const values = (/** @type {(bucket: Bucket, index: number) => number | null} */ value) => course?.map(value) ?? [];
  const tiles = [
    { name: "Conversations", now: now?.conversationCount, before: before?.conversationCount, course: values((bucket) => bucket.conversationCount), to: list,
      note: now && count(now.uniqueUsers, "person", "people") },
    { name: "Messages", now: now?.messageCount, before: before?.messageCount, course: values((bucket) => bucket.messageCount), to: change(list, { sort: "totalMessageCount" }),
      note: now && `${ratio(now.messageCount, now.conversationCount)} a conversation` },
    { name: "Tokens", now: now?.totalTokens, before: before?.totalTokens, course: values((bucket) => bucket.totalTokens), to: change(list, { sort: "totalTokens" }),
      note: now && `${ratio(now.totalTokens, now.conversationCount)} a conversation` },
    { name: "Tool calls", now: now?.toolCalls, before: before?.toolCalls, course: values((bucket) => bucket.toolCalls), to: list,
      note: now && `${ratio(now.toolCalls, now.conversationCount)} a conversation` },
    { name: "With a failed tool", share: true, bad: true, now: share(failing, now), before: share(failingBefore, before), to: change(list, { toolError: "true" }),
      course: failingCourse?.length === course?.length ? values((bucket, index) => (bucket.conversationCount && failingCourse ? failingCourse[index].conversationCount / bucket.conversationCount : null)) : [],
      note: failing && count(failing.conversationCount, "conversation") },
    { name: "Helpful", share: true, good: true, now: now && helpfulShare(now), before: before && helpfulShare(before), to: change(list, { feedback: "any" }),
      course: values((bucket) => (bucket.totalFeedback ? bucket.totalHelpful / bucket.totalFeedback : null)), note: now && `of ${count(now.totalFeedback, "rating")}` },
  ];
  return html`<ul class="tiles" aria-label=${`Figures, ${range.label}`}>${tiles.map((tile) => html`<li key=${tile.name}>
    <a class="tile" href=${href(tile.to)}>
      <span class="tile-name">${tile.name}</span>
      <span class="tile-value" title=${tile.now !== undefined && tile.now !== null && !tile.share ? whole(tile.now) : undefined}>${tile.now === undefined || (tile.now === null && !now)
        ? html`<i class="blank"></i>` : tile.share ? percent(tile.now) : compact(tile.now ?? 0)}</span>
      <${Compared} now=${tile.now ?? null} before=${tile.before ?? null} share=${tile.share ?? false} good=${tile.good ?? false} bad=${tile.bad ?? false} />
      <span class="tile-note">${tile.note || " "}</span>
      ${tile.course && tile.course.length > 1 ? html`<${Sparkline} values=${tile.course} />` : null}
    </a></li>`)}</ul>`;
}

/** @param {number} sum @param {number} of */
const ratio = (sum, of) => (of ? new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 }).format(sum / of) : "–");

/** @param {{ now: number | null, before: number | null, share: boolean, good: boolean, bad: boolean }} props */
function Compared({ now, before, share, good, bad }) {
  if (now === null || before === null) return html`<span class="compared"> </span>`;
  if (share) {
    const points = Math.round((now - before) * 1_000) / 10;
    return html`<span class=${`compared ${tone(points, good, bad)}`}>${points > 0 ? "+" : points < 0 ? "−" : "±"}${Math.abs(points)} ${Math.abs(points) === 1 ? "pt" : "pts"} <span class="aside">from ${percent(before)}</span></span>`;
  }
  const rate = changeOf(now, before);
  if (rate === null) return html`<span class="compared"><span class="aside">none before</span></span>`;
  return html`<span class="compared">${changeText(rate)} <span class="aside">from ${compact(before)}</span></span>`;
}

/** @param {number} difference @param {boolean} good @param {boolean} bad */
function tone(difference, good, bad) {
  if (difference === 0 || !(good || bad)) return "";
  return difference > 0 === good ? "better" : "worse";
}
