// The conversations that are loaded, and how they follow changes: rows are updated where they stand and new ones put in their place, but none is moved
// while somebody reads. It outlives the view, so that going back finds everything as it was.

import { aborted, ask, nextPage, pause } from "../api/client.js";
import { namesOf } from "../api/names.js";

/** @typedef {import("../api/contract.js").Conversation} Conversation */
/** @typedef {import("../session/session.js").Session} Session */

export const PAGE = 50;
/** Changes are looked for no faster than this, in milliseconds. */
const LEAST_AGE = 700;
/** A changed row is marked for this long. */
const MARKED = 2_000;

export class ListStore {
  /** @param {Session} session @param {string} key */
  constructor(session, key) {
    this.session = session;
    this.key = key;
    this.filter = "";
    /** @type {Conversation[]} */
    this.rows = [];
    /** @type {string | null} */
    this.next = null;
    /** @type {unknown} */
    this.error = null;
    this.loaded = false;
    this.loading = false;
    /** New rows since the reader last saw the beginning, and rows that would stand elsewhere by now. */
    this.fresh = 0;
    /** @type {Set<string>} */
    this.moved = new Set();
    /** More has changed than a page shows: what is loaded no longer joins what is new. */
    this.apart = false;
    /** @type {Map<string, number>} */
    this.marked = new Map();
    /** @type {Set<string>} */
    this.unfolded = new Set();
    /** @type {string | null} */
    this.active = null;
    this.scrollTop = 0;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    this.abort = new AbortController();
    this.following = false;
    this.stale = false;
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  tell() {
    for (const listener of this.listeners) listener();
  }

  /** The first page, in place of everything. */
  async begin() {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    this.loading = true;
    this.error = null;
    this.tell();
    await this.attempt(signal, async () => {
      const { rows, next } = await this.page(this.first(), signal);
      [this.rows, this.next, this.loaded] = [rows, next, true];
      [this.fresh, this.apart, this.scrollTop] = [0, false, 0];
      this.moved.clear();
    });
  }

  async more() {
    if (this.loading || this.next === null) return;
    const { signal } = this.abort, query = this.next;
    this.loading = true;
    this.error = null;
    this.tell();
    await this.attempt(signal, async () => {
      const { rows, next } = await this.page(query, signal);
      // A row that has moved meanwhile may come twice.
      const known = new Set(this.rows.map((row) => row.id));
      this.rows = [...this.rows, ...rows.filter((row) => !known.has(row.id))];
      this.next = next;
    });
  }

  /** @param {AbortSignal} signal @param {() => Promise<void>} work */
  async attempt(signal, work) {
    try {
      await work();
    } catch (error) {
      if (signal.aborted || aborted(error)) return;
      this.error = error;
    }
    this.loading = false;
    this.tell();
  }

  first() {
    return `${this.filter}&limit=${PAGE}`;
  }

  /** @param {string} query @param {AbortSignal} signal */
  async page(query, signal) {
    const response = await ask(this.session, "getInteractions", query, { signal });
    const rows = /** @type {Conversation[]} */ (await response.json());
    namesOf(this.session).learn(rows);
    return { rows, next: nextPage(response) };
  }

  /** Something may have changed. */
  async follow() {
    this.stale = true;
    if (this.following) return;
    this.following = true;
    while (this.stale && !this.abort.signal.aborted) {
      this.stale = false;
      if (this.error !== null || !this.loaded) {
        await this.begin();
      } else {
        const { signal } = this.abort;
        await this.page(this.first(), signal).then(({ rows, next }) => this.merge(rows, next), () => undefined);
      }
      await pause(LEAST_AGE);
    }
    this.following = false;
  }

  /** @param {Conversation[]} page @param {string | null} next */
  merge(page, next) {
    const places = new Map(this.rows.map((row, index) => [row.id, index]));
    if (next !== null && this.rows.length > 0 && !page.some((row) => places.has(row.id))) {
      this.apart = true;
      this.tell();
      return;
    }
    const rows = [...this.rows];
    /** @type {Conversation[][]} */
    const before = Array.from({ length: rows.length + 1 }, () => []);
    // A new row stands before the known one that follows it; the last ones stand behind the last known one.
    const last = page.findLast((row) => places.has(row.id));
    let place = last ? (places.get(last.id) ?? 0) + 1 : 0, added = 0;
    for (const row of [...page].reverse()) {
      const index = places.get(row.id);
      if (index === undefined) {
        before[place].unshift(row);
        added += 1;
        this.mark(row.id);
        continue;
      }
      place = index;
      if (JSON.stringify(rows[index]) === JSON.stringify(row)) continue;
      if (rows[index].updatedAt !== row.updatedAt && index > 0) this.moved.add(row.id);
      rows[index] = row;
      this.mark(row.id);
    }
    const merged = rows.flatMap((row, index) => [...before[index], row]).concat(before[rows.length]);
    // With everything on one page, whoever is not on it is gone; a conversation that found its parent stands below it now.
    const there = next === null ? new Set(page.map((row) => row.id)) : null;
    const below = new Set(page.flatMap((row) => descendants(row)));
    const kept = merged.filter((row) => !below.has(row.id) && (there?.has(row.id) ?? true));
    if (added === 0 && kept.length === this.rows.length && kept.every((row, index) => row === this.rows[index])) return;
    this.rows = kept;
    this.fresh += added;
    if (next === null) this.next = null;
    this.tell();
  }

  /** @param {string} id */
  mark(id) {
    this.marked.set(id, Date.now());
    setTimeout(() => {
      if (Date.now() - (this.marked.get(id) ?? 0) < MARKED) return;
      this.marked.delete(id);
      this.tell();
    }, MARKED + 50);
  }

  /** The reader has seen the beginning. */
  seen() {
    if (this.fresh === 0) return;
    this.fresh = 0;
    this.tell();
  }
}

/** @param {Conversation} row @returns {string[]} */
function descendants(row) {
  return row.subConversations.flatMap((child) => [child.id, ...descendants(child)]);
}

/** @type {ListStore | null} */
let latest = null;

/** The list of this filter: the one of before, if it was the same. @param {Session} session @param {string} key */
export function listStore(session, key) {
  if (latest === null || latest.session !== session || latest.key !== key) {
    latest?.abort.abort();
    latest = new ListStore(session, key);
  }
  return latest;
}

/** A row that the list has, at any depth. @param {Session} session @param {string} id @returns {Conversation | null} */
export function listed(session, id) {
  return latest?.session === session ? find(latest.rows, id) : null;
}

/** @param {Conversation[]} rows @param {string} id @returns {Conversation | null} */
function find(rows, id) {
  for (const row of rows) {
    const found = row.id === id ? row : find(row.subConversations, id);
    if (found) return found;
  }
  return null;
}
