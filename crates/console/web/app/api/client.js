// Asks the API: one place that knows tokens, refusals and trying again.

/** @typedef {import("../session/session.js").Session} Session */

/** Where the API is, beside the page. */
const BASE = "api/dashboard/";
/** A refusal that says so is tried again this often, after the time it names. */
const ATTEMPTS = 3;
/** Longer than this, in seconds, nobody waits without being told. */
const LONGEST_WAIT = 5;

/** Why there is no answer. */
export class ApiError extends Error {
  /** @param {{ status: number, code: string, message: string, requestId?: string }} problem */
  constructor({ status, code, message, requestId }) {
    super(message);
    this.name = "ApiError";
    /** 0 where the service, or who signs people in, could not be reached. */
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/**
 * @param {Session} session
 * @param {string} path
 * @param {URLSearchParams | string} query
 * @param {{ signal?: AbortSignal, accept?: string }} [options]
 * @returns {Promise<Response>}
 */
export async function ask(session, path, query, { signal, accept = "application/json" } = {}) {
  const url = `${BASE}${path}${query.toString() ? `?${query}` : ""}`;
  let fresh = false;
  for (let attempt = 1; ; attempt += 1) {
    const response = await send(session, url, accept, fresh, signal);
    if (response.ok) return response;
    if (response.status === 401 && !fresh) {
      fresh = true;
      continue;
    }
    const wait = Number(response.headers.get("Retry-After") ?? NaN);
    if ([429, 503].includes(response.status) && wait <= LONGEST_WAIT && attempt < ATTEMPTS) {
      await pause((wait + Math.random()) * 1_000, signal);
      continue;
    }
    throw await problemOf(response);
  }
}

/** @param {Session} session @param {string} url @param {string} accept @param {boolean} fresh @param {AbortSignal | undefined} signal */
async function send(session, url, accept, fresh, signal) {
  try {
    const token = await session.token({ fresh });
    /** @type {Record<string, string>} */
    const headers = { Accept: accept };
    if (token) headers.Authorization = `Bearer ${token}`;
    return await fetch(url, { headers, signal: signal ?? null });
  } catch (error) {
    if (error instanceof ApiError || aborted(error)) throw error;
    throw new ApiError({ status: 0, code: "unreachable", message: "The service cannot be reached." });
  }
}

/** @param {Response} response */
async function problemOf(response) {
  /** @type {any} */
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Something between here and the service answered in its own words.
  }
  return new ApiError({
    status: response.status,
    code: problem.code ?? "unknown",
    message: problem.error ?? problem.detail ?? `The service answered ${response.status}.`,
    requestId: response.headers.get("X-Request-Id") ?? undefined,
  });
}

/** @param {number} milliseconds @param {AbortSignal} [signal] */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}

/** The query of the next page, from the `Link` header. @param {Response} response */
export function nextPage(response) {
  return /<\?([^>]*)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "")?.[1] ?? null;
}

/** @param {unknown} error */
export const aborted = (error) => error instanceof DOMException && error.name === "AbortError";
