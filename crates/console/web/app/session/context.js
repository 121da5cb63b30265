// What every part of the page may use: who is signed in, and the stream of changes.

import { createContext } from "../../vendor/preact.js";
import { Changes } from "../api/changes.js";

/**
 * @typedef {object} Signed
 * @property {import("./session.js").Session} session
 * @property {Changes} changes
 * @property {() => void} leave Ends the session, and looks for another one.
 * @property {(organization: string) => void} enter Goes on in another organization.
 */

export const SessionContext = createContext(/** @type {Signed} */ (/** @type {unknown} */ (null)));
