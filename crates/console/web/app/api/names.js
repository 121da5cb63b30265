// Names of agents and users. Breakdowns and filters know ids only; a conversation of each tells the name.

import { useContext, useEffect, useState } from "../../vendor/hooks.js";
import { agentName, personName } from "../format.js";
import { SessionContext } from "../session/context.js";
import { ask } from "./client.js";

/** @typedef {"agentId" | "userId"} Named */
/** @typedef {import("./contract.js").Conversation} Conversation */

/** Questions at once. */
const MOST_AT_ONCE = 4;

/** Names are those of one session: ids of another organization mean something else. */
class Names {
  constructor() {
    /** @type {Map<string, string>} */
    this.known = new Map();
    /** @type {Set<string>} */
    this.asked = new Set();
    /** @type {(() => Promise<void>)[]} */
    this.queue = [];
    this.running = 0;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** @param {Conversation[]} rows */
  learn(rows) {
    const before = this.known.size;
    for (const row of rows) {
      if (row.agentId !== null && row.agentName) this.known.set(`agentId ${row.agentId}`, agentName(row));
      if (row.userId && (row.userFirstName || row.userLastName || row.userEmail)) this.known.set(`userId ${row.userId}`, personName(row));
      if (row.subConversations.length) this.learn(row.subConversations);
    }
    if (this.known.size !== before) for (const listener of this.listeners) listener();
  }

  /** @param {() => Promise<void>} task */
  enqueue(task) {
    this.queue.push(task);
    if (this.running < MOST_AT_ONCE) void this.work();
  }

  async work() {
    this.running += 1;
    for (let task = this.queue.shift(); task; task = this.queue.shift()) {
      // A name that cannot be had is shown as its id.
      await task().catch(() => undefined);
    }
    this.running -= 1;
  }
}

/** @type {WeakMap<object, Names>} */
const bySession = new WeakMap();

/** @param {object} session */
export function namesOf(session) {
  const names = bySession.get(session) ?? new Names();
  bySession.set(session, names);
  return names;
}

/**
 * Gives the function that names a value, and looks up those that are missing.
 * @param {Named | null} kind
 * @param {(string | number | null)[]} values Looked up where they are unknown.
 * @param {string} filter What the look-up is limited to.
 */
export function useNames(kind, values, filter) {
  const { session } = useContext(SessionContext);
  const names = namesOf(session);
  const [, setVersion] = useState(0);
  useEffect(() => {
    const listener = () => setVersion((version) => version + 1);
    names.listeners.add(listener);
    return () => void names.listeners.delete(listener);
  }, [names]);
  const missing = kind ? values.filter((value) => value !== null && !names.known.has(`${kind} ${value}`)).join(" ") : "";
  useEffect(() => {
    for (const value of missing.split(" ")) {
      const key = `${kind} ${value}`;
      if (!kind || !value || names.asked.has(key)) continue;
      names.asked.add(key);
      names.enqueue(async () => {
        const query = new URLSearchParams(filter);
        query.set(kind, value);
        query.set("limit", "1");
        query.set("exclude", "toolCalls,feedbackData,firstMessageText");
        names.learn(await (await ask(session, "getInteractions", query)).json());
      });
    }
  }, [kind, missing, filter]);
  /** @param {string | number | null} value */
  return (value) => (value === null ? null : (kind && names.known.get(`${kind} ${value}`)) ?? String(value));
}
