// The course of the figures over time.

import { html, useMemo, useState } from "../html.js";
import { useAnswer } from "../api/answer.js";
import { useNames } from "../api/names.js";
import { axisName, bucket as bucketName, compact, duration, percent, shortDuration } from "../format.js";
import { change, go, href } from "../state/place.js";
import { TIME_ZONE } from "../state/range.js";
import { Chart } from "../ui/chart.js";
import { Icon } from "../ui/icon.js";
import { Failure } from "../ui/notice.js";

/** @typedef {import("../api/contract.js").Bucket} Bucket */
/** @typedef {import("../ui/chart.js").Series} Series */
/** @typedef {import("../state/place.js").Place} Place */
/** @typedef {import("../state/range.js").Range} Range */

const SPLITS = /** @type {const} */ ([["", "Together"], ["agentId", "By agent"], ["agentModel", "By model"], ["userId", "By person"]]);
/** Groups that a chart shows by themselves; the others are one. */
const MOST_GROUPS = 5;
/** Seconds that an axis of durations may count by. */
const DURATIONS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000];
const COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-rest"];

/** @param {{ place: Place, range: Range, filter: string, course: import("../api/answer.js").Answer<Bucket[]> }} props */
export function Charts({ place, range, filter, course }) {
  const { data, error, again } = course;
  if (error && !data) return html`<div class="card"><${Failure} error=${error} again=${again} /></div>`;
  const frame = { place, range, buckets: data };
  return html`<div class=${course.loading && data ? "charts reloading" : "charts"}>
    <${Conversations} ...${frame} filter=${filter} />
    ${card({ ...frame, title: "Helpful share", format: percent, scale: [0, 1], series: (all) => [
      { label: "Helpful", colour: "--good", look: "area", values: all.map((one) => (one.totalFeedback ? one.totalHelpful / one.totalFeedback : null)) }] })}
    ${card({ ...frame, title: "Messages", format: (value) => compact(value ?? 0), series: (all) => [{ label: "Messages", colour: "--series-2", look: "area", values: all.map((one) => one.messageCount) }] })}
    ${card({ ...frame, title: "Tokens", stacked: true, format: (value) => compact(value ?? 0), series: (all) => [
      { label: "Input", colour: "--series-1", values: all.map((one) => one.inputTokens) }, { label: "Output", colour: "--series-3", values: all.map((one) => one.outputTokens) }] })}
    ${card({ ...frame, title: "Duration", format: duration, axisFormat: shortDuration, steps: DURATIONS, series: (all) => [
      { label: "Median", colour: "--series-1", values: all.map((one) => one.durationP50) }, { label: "95th percentile", colour: "--series-4", look: "dashed", values: all.map((one) => one.durationP95) }] })}
  </div>`;
}

/** @param {{ place: Place, range: Range, buckets: Bucket[] | null, filter: string }} props */
function Conversations({ place, range, buckets, filter }) {
  const split = SPLITS.find(([name]) => name === place.split)?.[0] ?? "";
  const query = new URLSearchParams([...new URLSearchParams(filter), ["interval", range.interval], ["timeZone", TIME_ZONE], ["groupBy", split]]);
  const grouped = /** @type {import("../api/answer.js").Answer<Bucket[]>} */ (useAnswer(split ? "getTimeSeries" : null, query.toString()));
  const groups = useMemo(() => (split && grouped.data && !grouped.loading ? byGroup(grouped.data) : null), [split, grouped.data, grouped.loading]);
  const kind = split === "agentId" || split === "userId" ? split : null;
  const name = useNames(kind, groups?.slice(0, MOST_GROUPS).map((group) => group.value) ?? [], filter);
  const title = html`<span>Conversations</span><label><span class="unseen">Split the chart</span><select class="select small" value=${split}
    onChange=${(/** @type {any} */ event) => go(change(place, { split: event.target.value || undefined }))}>${SPLITS.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>`;
  /** @param {Bucket[]} all @returns {Series[]} */
  const series = (all) => {
    if (!groups) return [{ label: "Conversations", colour: "--series-1", look: "bars", values: all.map((one) => one.conversationCount) }];
    const shown = groups.slice(0, MOST_GROUPS), rest = groups.slice(MOST_GROUPS);
    const sums = rest.length ? [{ label: "Others", values: all.map((_, index) => rest.reduce((sum, group) => sum + group.values[index], 0)) }] : [];
    return [...shown.map((group) => ({ label: group.other ? "Others" : name(group.value) ?? "None", values: group.values })), ...sums]
      .map((one, index) => ({ ...one, colour: COLOURS[index], look: "bars" }));
  };
  return card({ place, range, buckets, title: "Conversations", head: title, wide: true, stacked: groups !== null, format: (value) => compact(value ?? 0), series });
}

/** @param {Bucket[]} buckets */
function byGroup(buckets) {
  /** @type {Map<string, { value: string | number | null, other: boolean, values: number[] }>} */
  const groups = new Map();
  for (const bucket of buckets) {
    const value = bucket.group ?? null, other = bucket.other ?? false, key = JSON.stringify([value, other]);
    const group = groups.get(key) ?? { value, other, values: [] };
    group.values.push(bucket.conversationCount);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/**
 * @param {{ place: Place, range: Range, buckets: Bucket[] | null, title: string, head?: any, wide?: boolean, stacked?: boolean, scale?: [number, number],
 *   format: (value: number | null) => string, axisFormat?: (value: number | null) => string, steps?: number[], series: (buckets: Bucket[]) => Series[] }} options
 */
const card = (options) => html`<${ChartCard} ...${options} />`;

/** @param {Parameters<typeof card>[0]} props */
function ChartCard({ place, range, buckets, title, head, wide = false, stacked = false, scale, format, axisFormat = format, steps, series }) {
  const [table, setTable] = useState(false);
  const frame = useMemo(() => buckets && {
    times: buckets.map((one) => new Date(one.start)), names: buckets.map((one) => bucketName(one.start, range.interval)), end: new Date(buckets[buckets.length - 1]?.end ?? range.to),
  }, [buckets]);
  /** @param {Date} from @param {Date} end @returns {Place} */
  const zoomed = (from, end) => change(place, { range: undefined, interval: undefined, from: from.toISOString(), to: new Date(end.getTime() - 1).toISOString() });
  const lines = buckets && series(buckets);
  return html`<section class=${wide ? "card wide" : "card"} aria-label=${title}>
    <header class="card-head"><h2>${head ?? title}</h2>
      <button type="button" class="icon-button" aria-pressed=${table} aria-label=${`${title} as a table`} title="As a table" onClick=${() => setTable(!table)}><${Icon} name="table" /></button></header>
    ${!frame || !lines || !buckets ? html`<div class="plot-blank"></div>` : table
      ? html`<div class="table-frame" tabindex="0" role="region" aria-label=${`${title}, table`}><table><thead><tr><th scope="col">From</th>${lines.map((line) => html`<th scope="col">${line.label}</th>`)}</tr></thead>
        <tbody>${buckets.map((one, index) => html`<tr key=${one.start}><th scope="row"><a href=${href(zoomed(new Date(one.start), new Date(one.end)))}>${frame.names[index]}</a></th>
          ${lines.map((line) => html`<td>${line.values[index] === null ? "–" : format(line.values[index])}</td>`)}</tr>`)}</tbody></table></div>`
      : html`<${Chart} label=${title} ...${frame} series=${lines} stacked=${stacked} format=${format} axisFormat=${axisFormat} axis=${(/** @type {Date} */ time) => axisName(time, range.interval)} steps=${steps} scale=${scale} onZoom=${(/** @type {Date} */ from, /** @type {Date} */ to) => go(zoomed(from, to))} />`}
  </section>`;
}
