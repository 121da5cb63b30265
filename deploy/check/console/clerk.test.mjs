// Clerk's own script, the one that its instances serve, signs people in: with the service as in production and the policy that it sends.

import assert from "node:assert/strict";
import test from "node:test";
import { RANGE, accessible, at, person, shows } from "./browser.mjs";
import { production } from "./production.mjs";

const LIST = { view: "conversations", ...RANGE };

/** One of the sample's people, as Clerk knows them. */
async function known(who, ...more) {
  const { name, userId, orgId, organization } = await person(who);
  const [firstName, lastName] = name.split(" ");
  return { id: userId, firstName, lastName, email: `${firstName}@example.com`, organizations: [{ id: orgId, name: organization, admin: who !== "member" }, ...more] };
}

async function begin(t, ...people) {
  const { clerk, base, open } = await production(t, (instance) => ({ CLERK_PUBLISHABLE_KEY: instance.publishableKey }));
  clerk.people = people;
  return { clerk, base, page: await open() };
}

async function signIn(page, { firstName, lastName }) {
  await page.getByRole("heading", { name: "Sign in at Clerk" }).waitFor();
  await page.getByRole("link", { name: `${firstName} ${lastName}` }).click();
}

test("without a session Clerk's page is next, and leads back to the same place and the right person", async (t) => {
  const member = await known("member");
  const { clerk, base, page } = await begin(t, member);
  const refused = [];
  page.on("response", (response) => response.status() >= 400 && refused.push(`${response.status()} ${response.url()}`));
  await page.goto(at(LIST, base));
  await signIn(page, member);
  const rows = await shows(page, "member", RANGE);
  assert.ok(rows.length > 0 && rows.every((row) => row.userId === member.id));
  assert.equal(page.url(), at(LIST, base));
  assert.ok(clerk.scripts.includes("clerk.browser.js"));
  await page.getByRole("button", { name: "Live changes: Live" }).waitFor();
  await page.getByRole("button", { name: `Account: ${member.firstName} ${member.lastName}` }).click();
  await page.getByText(`Member, ${member.organizations[0].name}`).waitFor();
  assert.deepEqual(refused, []);

  // Signed out, one is at Clerk's page again, and stays signed out.
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in at Clerk" }).waitFor();
  assert.equal(clerk.sessions.size, 0);
  assert.equal(new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("redirect_url"), at(LIST, base));
  await page.goto(at(LIST, base));
  await page.getByRole("heading", { name: "Sign in at Clerk" }).waitFor();
});

test("a token is replaced before it ends, and no question is refused meanwhile", async (t) => {
  const admin = await known("administrator");
  const { clerk, base, page } = await begin(t, admin);
  clerk.lifetime = 7;
  const asked = [];
  page.on("response", (response) => {
    const { authorization } = response.request().headers();
    if (authorization) asked.push({ status: response.status(), expires: JSON.parse(Buffer.from(authorization.split(".")[1], "base64url")).exp });
  });
  await page.goto(at(LIST, base));
  await signIn(page, admin);
  await shows(page, "administrator", { ...RANGE, allInOrg: "true" });
  // The first one is accepted for its lifetime, and the five seconds by which clocks may differ.
  const [first] = asked, over = (first.expires + 5) * 1_000;
  for (let turn = 0; Date.now() < over; turn += 1) {
    await clerk.replaced();
    const sort = ["createdAt", "totalTokens", "duration", "totalMessageCount"][turn % 4];
    await page.getByLabel("Order").selectOption(sort);
    await shows(page, "administrator", { ...RANGE, allInOrg: "true", sort });
  }
  assert.deepEqual(asked.filter(({ status }) => status !== 200), []);
  assert.ok(asked.at(-1).expires > first.expires + clerk.lifetime / 2, JSON.stringify(asked));
});

test("a session that is ended at Clerk says so, and signing in leads back", async (t) => {
  const member = await known("member");
  const { clerk, base, page } = await begin(t, member);
  clerk.lifetime = 2;
  await page.goto(at(LIST, base));
  await signIn(page, member);
  await shows(page, "member", RANGE);
  clerk.revoke();
  await page.getByRole("button", { name: "Live changes: Reconnecting" }).waitFor({ timeout: 30_000 });
  await page.getByLabel("Order").selectOption("duration");
  await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  await page.getByRole("button", { name: "Sign in again" }).click();
  await signIn(page, member);
  await shows(page, "member", { ...RANGE, sort: "duration" });
});

test("somebody of two organizations chooses one, and may change it", async (t) => {
  const first = await known("administrator"), other = await known("other");
  const both = { ...first, organizations: [...first.organizations, ...other.organizations] };
  const { base, page } = await begin(t, both);
  const asked = [];
  page.on("request", (request) => request.url().includes("/api/dashboard/") && asked.push(request.url()));
  await page.goto(at(LIST, base));
  await signIn(page, both);
  await page.getByRole("heading", { name: "Which organization?" }).waitFor();
  await accessible(page, "the choice of an organization");
  assert.deepEqual(asked, [], "something is asked for without an organization");
  await page.getByRole("button", { name: both.organizations[1].name }).click();
  await page.getByRole("list", { name: "Figures, Last 7 days" }).waitFor();
  await page.goto(at(LIST, base));
  await shows(page, "other", { ...RANGE, allInOrg: "true" });
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("button", { name: `Go to ${both.organizations[0].name}` }).click();
  await page.getByRole("list", { name: "Figures, Last 7 days" }).waitFor();
  await page.goto(at(LIST, base));
  await shows(page, "administrator", { ...RANGE, allInOrg: "true" });
});

test("somebody without an organization is told so, and nothing is asked for", async (t) => {
  const nobody = { id: "user_alone", firstName: "Ada", lastName: "Alone", email: "ada@example.com", organizations: [] };
  const { base, page } = await begin(t, nobody);
  const asked = [];
  page.on("request", (request) => request.url().includes("/api/dashboard/") && asked.push(request.url()));
  await page.goto(at(LIST, base));
  await signIn(page, nobody);
  await page.getByRole("heading", { name: "You are in no organization" }).waitFor();
  await accessible(page, "no organization");
  assert.deepEqual(asked, []);
  await page.getByRole("button", { name: "Sign in as somebody else" }).click();
  await page.getByRole("heading", { name: "Sign in at Clerk" }).waitFor();
});

test("a Clerk that is away is told, and tried again", async (t) => {
  const member = await known("member");
  const { clerk, base, page } = await begin(t, member);
  clerk.away = true;
  await page.goto(at(LIST, base));
  await page.getByRole("heading", { name: "Signing in did not work" }).waitFor();
  clerk.away = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await signIn(page, member);
  await shows(page, "member", RANGE);
});
