// Ranges of time: what the URL says becomes instants, the range before it to compare with, and the width of a chart's buckets.

/** @typedef {import("./place.js").Place} Place */
/** @typedef {"hour" | "day" | "week" | "month"} Interval */
/** @typedef {{ from: Date, to: Date, before: { from: Date, to: Date }, interval: Interval, intervals: Interval[], label: string, name: string | null }} Range */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Answers of the range before are asked for with an end that stays for this long, so that they can be cached. */
const STEADY = 5 * 60_000;
/** More buckets than this are no chart any more; the service refuses 1,000. */
const MOST_BUCKETS = 800;
/** @type {Record<Interval, number>} */
const LENGTH = { hour: HOUR, day: DAY, week: 7 * DAY, month: 30 * DAY };

export const RANGES = /** @type {const} */ ([
  { name: "24h", label: "Last 24 hours", days: 1 },
  { name: "7d", label: "Last 7 days", days: 7 },
  { name: "30d", label: "Last 30 days", days: 30 },
  { name: "90d", label: "Last 90 days", days: 90 },
  { name: "365d", label: "Last 12 months", days: 365 },
]);
export const DEFAULT_RANGE = "7d";

export const TIME_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/**
 * @param {Place} place
 * @param {Date} now
 * @returns {Range}
 */
export function rangeOf(place, now) {
  const from = instant(place.from), to = instant(place.to);
  if (from && to && from <= to) {
    const length = to.getTime() - from.getTime() + 1;
    const before = { from: new Date(from.getTime() - length), to: new Date(from.getTime() - 1) };
    return { from, to, before, ...widths(length, place.interval), label: spoken(from, to), name: null };
  }
  const known = RANGES.find((range) => range.name === place.range) ?? RANGES.find((range) => range.name === DEFAULT_RANGE) ?? RANGES[1];
  return { ...latest(known.days, now, place.interval), label: known.label, name: known.name };
}

/**
 * Whole local days up to the end of today, or whole hours for one day. What is compared is as much of the days before as has passed of these.
 * @param {number} days
 * @param {Date} now
 * @param {string | undefined} interval
 */
function latest(days, now, interval) {
  const from = new Date(now), to = new Date(now);
  if (days === 1) {
    from.setMinutes(0, 0, 0);
    from.setTime(from.getTime() - 23 * HOUR);
    to.setMinutes(59, 59, 999);
  } else {
    from.setHours(0, 0, 0, 0);
    from.setDate(from.getDate() - days + 1);
    to.setHours(23, 59, 59, 999);
  }
  const passed = new Date(Math.min(to.getTime(), Math.ceil(now.getTime() / STEADY) * STEADY - 1));
  const before = { from: shifted(from, days), to: shifted(passed, days) };
  return { from, to, before, ...widths(to.getTime() - from.getTime(), interval) };
}

/** @param {Date} date @param {number} days */
function shifted(date, days) {
  const moved = new Date(date);
  moved.setDate(moved.getDate() - days);
  return moved;
}

/**
 * @param {number} length
 * @param {string | undefined} wanted
 * @returns {{ interval: Interval, intervals: Interval[] }}
 */
function widths(length, wanted) {
  const all = /** @type {Interval[]} */ (Object.keys(LENGTH));
  const intervals = all.filter((interval) => length / LENGTH[interval] <= MOST_BUCKETS);
  const usual = length <= 3 * DAY ? "hour" : length <= 120 * DAY ? "day" : length <= 3 * 365 * DAY ? "week" : "month";
  return { interval: intervals.find((interval) => interval === wanted) ?? usual, intervals };
}

/** @param {string | undefined} text */
function instant(text) {
  const date = text ? new Date(text) : null;
  return date && !Number.isNaN(date.getTime()) ? date : null;
}

/** @param {Date} from @param {Date} to */
function spoken(from, to) {
  const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const whole = from.getHours() + from.getMinutes() === 0 && to.getHours() === 23 && to.getMinutes() === 59;
  return (whole ? days : new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" })).formatRange(from, to);
}
