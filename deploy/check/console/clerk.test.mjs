// Clerk's script signs people in. Its place is taken by a few lines with the functions that the page calls; the tokens are real ones.

import assert from "node:assert/strict";
import test from "node:test";
import { RANGE, URL_OF_SYSTEM, ask, at, open, person, shows } from "./browser.mjs";

const HOST = "clerk.example.com";

/** The page as it is with a publishable key, and what stands in for Clerk. */
async function withClerk(page, script) {
  await page.route(`${URL_OF_SYSTEM}/console?*`, async (route) => {
    const response = await route.fetch();
    const settings = `content="clerk"><meta name="recap-clerk-key" content="pk_test_x"><meta name="recap-clerk-host" content="${HOST}">`;
    const policy = response.headers()["content-security-policy"].replace("script-src 'self'", `script-src 'self' https://${HOST}`).replace(/; require-trusted.*/, "");
    await route.fulfill({ response, body: (await response.text()).replace('content="dev">', settings), headers: { ...response.headers(), "content-security-policy": policy } });
  });
  await page.route(`https://${HOST}/**`, (route) => {
    assert.equal(new URL(route.request().url()).pathname, "/npm/@clerk/clerk-js@5/dist/clerk.headless.browser.js");
    return route.fulfill({ contentType: "text/javascript", headers: { "access-control-allow-origin": "*" }, body: script });
  });
}

test("a session at Clerk is the page's, and is asked for anew when a token is refused", async (t) => {
  const page = await open(t, { allowed: [HOST] });
  const { token, name } = await person("member");
  await withClerk(page, `globalThis.asked = []; globalThis.Clerk = { load: async () => undefined, user: { fullName: ${JSON.stringify(name)} }, organization: { name: "Acme" },
    session: { getToken: async (options) => { asked.push(options?.skipCache ?? false); return options?.skipCache ? ${JSON.stringify(token)} : ${JSON.stringify(`${token.slice(0, -8)}AAAAAAAA`)}; } }, signOut: async () => { globalThis.left = true; } };`);
  await page.goto(at({ view: "conversations", ...RANGE }));
  const rows = await shows(page, "member", RANGE);
  assert.ok(rows.length > 0);
  assert.ok((await page.evaluate(() => globalThis.asked)).includes(true));
  await page.getByRole("button", { name: `Account: ${name}` }).click();
  await page.getByText("Member, Acme").waitFor();
});

test("without a session Clerk's page is next, and leads back to the same place", async (t) => {
  const page = await open(t, { allowed: [HOST] });
  const [row] = await ask("member", "getInteractions", { ...RANGE, limit: 1 });
  await withClerk(page, "globalThis.Clerk = { load: async () => undefined, session: null, user: null, redirectToSignIn: async (options) => { globalThis.sent = options; } };");
  const place = at({ view: "conversation", id: row.id });
  await page.goto(place);
  await page.waitForFunction(() => globalThis.sent);
  assert.equal(await page.evaluate(() => globalThis.sent.redirectUrl), place);
});
