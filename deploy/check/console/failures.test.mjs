// What is shown when something is wrong, and that it passes by itself.

import assert from "node:assert/strict";
import net from "node:net";
import test from "node:test";
import { RANGE, URL_OF_SYSTEM, at, open, person, shows, signIn, token } from "./browser.mjs";

const LIST = { view: "conversations", ...RANGE };

/** A door in front of the service that can be closed: connections are cut off and refused. */
async function door() {
  const { hostname, port } = new URL(URL_OF_SYSTEM);
  const open = new Set();
  const server = net.createServer((client) => {
    const service = net.connect(Number(port), hostname);
    for (const [socket, other] of [[client, service], [service, client]]) {
      open.add(socket);
      socket.pipe(other);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });
  const listen = (wanted) => new Promise((resolve) => server.listen(wanted, "127.0.0.1", () => resolve(server.address().port)));
  const own = await listen(0);
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    for (const socket of open) socket.destroy();
  });
  return { url: `http://127.0.0.1:${own}`, close, reopen: () => listen(own) };
}

test("a session that ends says so, and signing in leads back", async (t) => {
  const page = await open(t);
  const { userId, orgId } = await person("member");
  await page.goto(at(LIST));
  await page.getByText("Or use a token").click();
  await page.getByLabel("Session token").fill(token("--org", orgId, "--user", userId, "--lifetime", "2"));
  await page.getByRole("button", { name: "Sign in with it" }).click();
  await shows(page, "member", RANGE);
  // Its end, and the five seconds by which clocks may differ.
  await page.getByRole("button", { name: "Live changes: Reconnecting" }).waitFor({ timeout: 30_000 });
  await page.getByLabel("Order").selectOption("duration");
  await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  await page.getByRole("button", { name: "Sign in again" }).click();
  const { name } = await person("member");
  await page.locator(".person-card", { hasText: name }).filter({ hasText: "Their own" }).click();
  await shows(page, "member", { ...RANGE, sort: "duration" });
});

test("a service that is away is waited for", async (t) => {
  const front = await door();
  t.after(front.close);
  const page = await open(t);
  await signIn(page, "administrator", LIST, front.url);
  await shows(page, "administrator", { ...RANGE, allInOrg: "true" });
  await page.getByRole("button", { name: "Live changes: Live" }).waitFor();
  await front.close();
  await page.getByRole("button", { name: "Live changes: Reconnecting" }).waitFor();
  assert.ok((await page.locator(".body-row").count()) > 0, "what was read is taken away");
  await page.getByLabel("Order").selectOption("totalTokens");
  await page.getByRole("heading", { name: "The service cannot be reached" }).waitFor();
  await front.reopen();
  await shows(page, "administrator", { ...RANGE, allInOrg: "true", sort: "totalTokens" });
  await page.getByRole("button", { name: "Live changes: Live" }).waitFor();
});

test("a filter that cannot be read is told, and can be reset", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", { ...LIST, agentId: "support" });
  await page.getByRole("heading", { name: "This filter cannot be read" }).waitFor();
  await page.getByRole("button", { name: "Reset filters" }).click();
  await page.locator(".body-row").first().waitFor();
});

test("a range without conversations says so", async (t) => {
  const page = await open(t);
  const past = { from: "2020-01-01T00:00:00.000Z", to: "2020-02-01T00:00:00.000Z" };
  await signIn(page, "administrator", { ...LIST, ...past });
  await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByRole("heading", { name: "Nothing to show yet" }).waitFor();
});
