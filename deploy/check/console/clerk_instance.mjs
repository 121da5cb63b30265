// Stands in for a Clerk instance: it serves Clerk's own script, as npm has it, and answers what that script asks of Clerk's Frontend API. Sessions are those of
// people whom a test makes; signing in is a page with a link for each. The shapes are those of https://clerk.com/docs/reference/frontend-api.

import assert from "node:assert/strict";
import { createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";

const SCRIPT = process.env.CLERK_JS;
const { version } = JSON.parse(readFileSync(path.join(SCRIPT, "package.json"), "utf8"));
/** Which versions of the script the page may ask for. */
const SERVED = new RegExp(`^/npm/@clerk/clerk-js@(${version.split(".")[0]}|${version.replaceAll(".", "\\.")})/dist/([\\w.-]+\\.js)$`);

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/**
 * @typedef {{ id: string, firstName: string, lastName: string, email: string, organizations: { id: string, name: string, admin: boolean }[] }} ClerkPerson
 */
export class ClerkInstance {
  /** Of the tokens, in seconds: as at Clerk unless a test sets it. */
  lifetime = 60;
  /** Tells of each token that is asked for. */
  events = new EventEmitter();
  /** Paths of the script and its parts that were fetched. */
  scripts = [];
  /** Whether it answers. */
  away = false;

  /** @param {{ host: string, portal: string, app: string }} names Of the Frontend API, of the page to sign in, and of the application. */
  constructor({ host, portal, app }) {
    Object.assign(this, { host, portal, app, people: [], sessions: new Map() });
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    this.privateKey = privateKey;
    this.publicKey = publicKey.export({ type: "spki", format: "pem" });
    this.publishableKey = `pk_live_${Buffer.from(`${host}$`).toString("base64")}`;
  }

  /** A token for somebody's session. @param {ClerkPerson} person */
  token(person, organizationId = person.organizations[0]?.id, session = "sess_test") {
    const now = Math.floor(Date.now() / 1_000), organization = person.organizations.find(({ id }) => id === organizationId);
    const claims = {
      azp: `https://${this.app}`, exp: now + this.lifetime, fva: [1, -1], iat: now, iss: `https://${this.host}`, nbf: now - 10, sid: session, sts: "active", sub: person.id, v: 2, jti: randomUUID(),
      ...(organization ? { o: { id: organization.id, rol: organization.admin ? "admin" : "member", slg: organization.name.toLowerCase() } } : {}),
    };
    const signed = `${encode({ alg: "RS256", cat: "cl_B7d4PD111AAA", kid: "ins_test", typ: "JWT" })}.${encode(claims)}`;
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(this.privateKey).toString("base64url")}`;
  }

  /** Waits for the next token. */
  replaced() {
    return once(this.events, "token");
  }

  /** Ends every session, as an administrator of the instance does. */
  revoke() {
    this.sessions.clear();
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async answer(request, response) {
    const url = new URL(request.url, `https://${request.headers.host}`);
    if (this.away) return response.destroy();
    if (url.hostname === this.portal) return this.signIn(response);
    const script = SERVED.exec(url.pathname);
    if (script) return this.script(script, response);
    if (url.pathname === "/signed-in") return this.begin(url, response);
    const headers = { "Access-Control-Allow-Origin": request.headers.origin ?? "", "Access-Control-Allow-Credentials": "true", "Content-Type": "application/json" };
    const client = /__client=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const form = new URLSearchParams(await body(request));
    const answered = this.frontendApi(url.searchParams.get("_method") ?? request.method, url.pathname.replace("/v1", ""), form, client);
    response.writeHead(answered ? 200 : 401, headers).end(JSON.stringify(answered ?? { errors: [{ code: "authentication_invalid", message: "Unable to authenticate", long_message: "Sign in again." }] }));
  }

  script([, asked, file], response) {
    this.scripts.push(file);
    const headers = { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" };
    // A major version leads to the newest of it, as at Clerk.
    if (asked !== version) return response.writeHead(307, { ...headers, Location: `/npm/@clerk/clerk-js@${version}/dist/${file}` }).end();
    return response.writeHead(200, headers).end(readFileSync(path.join(SCRIPT, "dist", file)));
  }

  /** The page to sign in. Where to go back to stands in the fragment, which only the browser knows. */
  signIn(response) {
    const links = this.people.map(({ id, firstName, lastName }) => `<p><a href="https://${this.host}/signed-in?user=${id}">${firstName} ${lastName}</a></p>`);
    const script = `for (const link of document.links) link.href += "&" + new URLSearchParams({ redirect_url: new URLSearchParams(location.hash.split("?")[1]).get("redirect_url") });`;
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(`<!doctype html><title>Sign in</title><h1>Sign in at Clerk</h1>${links.join("")}<script>${script}</script>`);
  }

  begin(url, response) {
    const client = randomUUID(), person = this.people.find(({ id }) => id === url.searchParams.get("user"));
    this.sessions.set(client, { id: `sess_${client}`, person, organization: null, begun: Date.now() });
    response.writeHead(302, { "Set-Cookie": `__client=${client}; Path=/; HttpOnly; Secure; SameSite=Lax`, Location: url.searchParams.get("redirect_url") }).end();
  }

  /** `null` where the session is no longer one. */
  frontendApi(method, asked, form, client) {
    const session = this.sessions.get(client);
    if (asked === "/environment") return this.environment();
    if (asked === "/client" && method === "GET") return { response: this.client(session), client: null };
    if (asked === "/client/sessions" && method === "DELETE") {
      this.sessions.delete(client);
      return { response: this.client(undefined), client: null };
    }
    if (!session) return null;
    if (asked === `/client/sessions/${session.id}/touch`) {
      if (form.has("active_organization_id")) session.organization = form.get("active_organization_id") || null;
      return { response: this.session(session), client: this.client(session) };
    }
    if (asked === `/client/sessions/${session.id}/tokens`) {
      this.events.emit("token");
      return { object: "token", jwt: this.token(session.person, form.get("organization_id") || null, session.id) };
    }
    assert.fail(`Clerk's script asks for ${method} ${asked}, which nobody answers here`);
  }

  client(session) {
    const times = { created_at: Date.now(), updated_at: Date.now() };
    return { object: "client", id: "client_test", sessions: session ? [this.session(session)] : [], sign_in: null, sign_up: null, last_active_session_id: session?.id ?? null, cookie_expires_at: Date.now() + 300 * 86_400_000, captcha_bypass: false, ...times };
  }

  session({ id, person, organization, begun }) {
    const times = { created_at: begun, updated_at: begun };
    const address = { object: "email_address", id: `idn_${person.id}`, email_address: person.email, verification: null, linked_to: [] };
    const names = { first_name: person.firstName, last_name: person.lastName, image_url: "", has_image: false };
    const memberships = person.organizations.map((one) => ({
      object: "organization_membership", id: `orgmem_${one.id}`, role: one.admin ? "org:admin" : "org:member", role_name: one.admin ? "Admin" : "Member", permissions: [], public_metadata: {}, ...times,
      organization: { object: "organization", id: one.id, name: one.name, slug: one.name.toLowerCase(), image_url: "", has_image: false, public_metadata: {}, members_count: 2, pending_invitations_count: 0, max_allowed_memberships: 0, admin_delete_enabled: true, ...times },
    }));
    return {
      object: "session", id, status: "active", expire_at: begun + 7 * 86_400_000, abandon_at: begun + 30 * 86_400_000, last_active_at: Date.now(), last_active_organization_id: organization, actor: null, tasks: null, factor_verification_age: [1, -1], ...times,
      last_active_token: { object: "token", jwt: this.token(person, organization, id) }, public_user_data: { ...names, identifier: person.email, user_id: person.id },
      user: { object: "user", id: person.id, username: null, ...names, primary_email_address_id: address.id, primary_phone_number_id: null, primary_web3_wallet_id: null, email_addresses: [address], phone_numbers: [], web3_wallets: [], external_accounts: [], enterprise_accounts: [], passkeys: [], organization_memberships: memberships, public_metadata: {}, unsafe_metadata: {}, password_enabled: true, two_factor_enabled: false, totp_enabled: false, backup_code_enabled: false, create_organization_enabled: false, delete_self_enabled: false, last_sign_in_at: begun, ...times },
    };
  }

  environment() {
    const page = (name) => `https://${this.portal}/${name}`;
    return {
      object: "environment", id: "env_test", maintenance_mode: false,
      auth_config: { object: "auth_config", id: "aconf_test", single_session_mode: true, reverification: false },
      display_config: { object: "display_config", id: "display_config_test", instance_environment_type: "production", application_name: "Acme", home_url: `https://${this.app}`, sign_in_url: page("sign-in"), sign_up_url: page("sign-up"), user_profile_url: page("user"), after_sign_in_url: page(""), after_sign_up_url: page("") },
      organization_settings: { object: "organization_settings", enabled: true, max_allowed_memberships: 5, force_organization_selection: false, actions: { admin_delete: true }, domains: { enabled: false, enrollment_modes: [], default_role: null } },
      user_settings: { object: "user_settings", attributes: {}, social: {}, sign_in: { second_factor: { required: false } }, sign_up: { mode: "public" } },
      commerce_settings: { billing: { stripe_publishable_key: null, organization: { enabled: false, has_paid_plans: false }, user: { enabled: false, has_paid_plans: false } } },
    };
  }
}

async function body(request) {
  let text = "";
  for await (const part of request) text += part;
  return text;
}
