// Numbers, durations and times as people read them, in the reader's language and zone.

const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat();
const PERCENT = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const CHANGE = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** @param {number} value */
export const compact = (value) => (Math.abs(value) < 10_000 ? WHOLE.format(value) : COMPACT.format(value));
/** @param {number} value */
export const whole = (value) => WHOLE.format(value);
/** @param {number | null} value */
export const percent = (value) => (value === null ? "–" : PERCENT.format(value));
/** @param {number} value @param {string} one @param {string} [many] */
export const count = (value, one, many = `${one}s`) => `${whole(value)} ${value === 1 ? one : many}`;

/** The change from one value to another; `null` where there was nothing to compare with. @param {number | null} now @param {number | null} before */
export function change(now, before) {
  if (now === null || before === null || before === 0) return null;
  return (now - before) / before;
}
/** @param {number} share */
export const changeText = (share) => (share > 9.99 ? `×${WHOLE.format(Math.round(share + 1))}` : CHANGE.format(share));

/** Seconds, as `8.4 s`, `2 m 05 s`, `3 h 12 m`, `2 d 4 h`. @param {number | null} seconds */
export function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${two(Math.floor(seconds % 60))} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${two(minutes % 60)} m`;
  return `${WHOLE.format(Math.floor(hours / 24))} d ${hours % 24} h`;
}

/** @param {number} value */
const two = (value) => String(value).padStart(2, "0");

/** The shortest way to say when: the clock today, the day this year. @param {string} time @param {Date} [now] */
export function when(time, now = new Date()) {
  const date = new Date(time);
  if (date.toDateString() === now.toDateString()) return CLOCK.format(date);
  if (date.getFullYear() === now.getFullYear()) return `${DAY.format(date)}, ${CLOCK.format(date)}`;
  return DAY_OF_YEAR.format(date);
}
/** @param {string} time */
export const exact = (time) => EXACT.format(new Date(time));
/** The same instant in UTC, for the hint. @param {string} time */
export const utc = (time) => `${new Date(time).toISOString().replace("T", " ").replace("Z", "")} UTC`;

/** A bucket's name. @param {string} start @param {import("./state/range.js").Interval} interval */
export function bucket(start, interval) {
  const date = new Date(start);
  if (interval === "hour") return `${DAY.format(date)}, ${CLOCK.format(date)}`;
  if (interval === "month") return new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" }).format(date);
  return interval === "week" ? `Week of ${DAY_OF_YEAR.format(date)}` : new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" }).format(date);
}

/** A bucket's name below a chart. @param {Date} start @param {import("./state/range.js").Interval} interval */
export function axisName(start, interval) {
  if (interval === "month") return new Intl.DateTimeFormat(undefined, { month: "short", year: "2-digit" }).format(start);
  return interval === "hour" && start.getHours() !== 0 ? CLOCK.format(start) : DAY.format(start);
}

/** Seconds on an axis: one unit alone. @param {number | null} seconds */
export function shortDuration(seconds) {
  if (seconds === null) return "";
  const [size, unit] = seconds >= 172_800 ? [seconds / 86_400, "d"] : seconds >= 7_200 ? [seconds / 3_600, "h"] : seconds >= 120 ? [seconds / 60, "m"] : [seconds, "s"];
  return `${WHOLE.format(Math.round(size * 10) / 10)} ${unit}`;
}

/** Bytes, as `4.2 MB`. @param {number} value */
export function bytes(value) {
  if (value < 1_000) return `${value} B`;
  const units = ["kB", "MB", "GB"];
  let size = value, unit = -1;
  while (size >= 1_000 && unit < units.length - 1) [size, unit] = [size / 1_000, unit + 1];
  return `${size.toFixed(size < 10 ? 1 : 0)} ${units[unit]}`;
}

/** A user's name, or what else is known of them. @param {{ userFirstName: string | null, userLastName: string | null, userEmail: string | null, userId: string | null }} row */
export function personName(row) {
  return [row.userFirstName, row.userLastName].filter(Boolean).join(" ") || row.userEmail || row.userId || "Unknown user";
}
/** @param {{ agentName: string | null, agentId: number | null }} row */
export function agentName(row) {
  return row.agentName || (row.agentId === null ? "No agent" : `Agent ${row.agentId}`);
}
