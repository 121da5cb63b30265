// Where the session's cookie is accepted, it is what signs in: the application around the console keeps and renews it.

import assert from "node:assert/strict";
import test from "node:test";
import { RANGE, accessible, at, person, shows } from "./browser.mjs";
import { production } from "./production.mjs";

const LIST = { view: "conversations", ...RANGE };

async function begin(t) {
  const { clerk, base, open } = await production(t, () => ({ RECAP_SESSION_COOKIE: "true" }));
  const page = await open();
  /** As the application's own script sets it. */
  const keep = (value) => page.context().addCookies([{ name: "__session", value, url: base, secure: true, sameSite: "Lax" }]);
  return { clerk, base, page, keep };
}

async function member() {
  const { userId, orgId, organization } = await person("member");
  return { id: userId, organizations: [{ id: orgId, name: organization, admin: false }] };
}

test("the cookie alone signs in; without one the page says what to do", async (t) => {
  const { clerk, base, page, keep } = await begin(t);
  const sent = [];
  page.on("request", (request) => request.url().includes("/api/dashboard/") && sent.push(request.headers().authorization));
  await page.goto(at(LIST, base));
  await page.getByRole("heading", { name: "You are not signed in" }).waitFor();
  await accessible(page, "no cookie");
  const who = await member();
  await keep(clerk.token(who));
  await page.getByRole("button", { name: "Try again" }).click();
  const rows = await shows(page, "member", RANGE);
  assert.ok(rows.length > 0 && rows.every((row) => row.userId === who.id));
  assert.ok(sent.length > 0 && sent.every((header) => header === undefined), "a token is sent beside the cookie");
  await page.getByRole("button", { name: "Live changes: Live" }).waitFor();
  // It is the application that signs out.
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("link", { name: "API reference" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Sign out" }).count(), 0);
});

test("a cookie that ends says so; once it is renewed, the page goes on by itself", async (t) => {
  const { clerk, base, page, keep } = await begin(t);
  const who = await member();
  await keep(clerk.token(who));
  await page.goto(at(LIST, base));
  await shows(page, "member", RANGE);
  clerk.lifetime = -60;
  await keep(clerk.token(who));
  await page.getByLabel("Order").selectOption("duration");
  await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  await accessible(page, "the cookie has ended");
  clerk.lifetime = 60;
  await keep(clerk.token(who));
  await shows(page, "member", { ...RANGE, sort: "duration" });
});

test("a cookie without an organization shows nothing", async (t) => {
  const { clerk, base, page, keep } = await begin(t);
  const asked = [];
  page.on("request", (request) => request.url().includes("/api/dashboard/") && asked.push(request.url()));
  const who = await member();
  await keep(clerk.token(who, null));
  await page.goto(at(LIST, base));
  await page.getByRole("heading", { name: "You are in no organization" }).waitFor();
  assert.deepEqual(asked, []);
  // Chosen in the application, the page goes on.
  await keep(clerk.token(who));
  await page.getByRole("button", { name: "Try again" }).click();
  await shows(page, "member", RANGE);
});
