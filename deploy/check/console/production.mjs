// The query service as in production: behind TLS, at a name of its own, with a Clerk instance at another. From a page opened here nothing else can be reached.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { open } from "./browser.mjs";
import { ClerkInstance } from "./clerk_instance.mjs";

const NAMES = { app: "console.example.com", host: "clerk.example.com", portal: "accounts.example.com" };

/**
 * Starts it for one test. Without settings of its own the service has none but its Clerk instance's issuer, key and authorized party.
 * @param {import("node:test").TestContext} test
 * @param {(clerk: ClerkInstance) => Record<string, string>} settings
 */
export async function production(test, settings) {
  const clerk = new ClerkInstance(NAMES);
  const query = await service({ CLERK_ISSUER: `https://${NAMES.host}`, CLERK_JWT_KEY: clerk.publicKey, CLERK_AUTHORIZED_PARTIES: `https://${NAMES.app}`, ...settings(clerk) });
  const server = https.createServer(certificate(), (request, response) => {
    if (request.headers.host === NAMES.app) return forward(query.port, request, response);
    return void clerk.answer(request, response).catch((error) => {
      clerk.mistake ??= error;
      response.destroy();
    });
  });
  // Longer than any test: a browser gives up on a server that keeps closing what it is about to use.
  server.keepAliveTimeout = 600_000;
  const tls = await listening(server);
  const proxy = http.createServer((_, response) => response.writeHead(403).end());
  proxy.on("connect", (request, client) => {
    if (!Object.values(NAMES).some((name) => request.url === `${name}:443`)) return client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const onward = net.connect(tls, "127.0.0.1", () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
    for (const [socket, other] of [[client, onward], [onward, client]]) socket.pipe(other).on("error", () => socket.destroy()) && socket.on("close", () => other.destroy());
    return undefined;
  });
  const door = await listening(proxy);
  test.after(async () => {
    for (const one of [proxy, server]) one.close();
    server.closeAllConnections();
    await query.stop();
    if (clerk.mistake) throw clerk.mistake;
  });
  return {
    clerk,
    base: `https://${NAMES.app}`,
    /** A page in a browser that reaches the three names alone. */
    open: (options = {}) => open(test, { proxy: { server: `http://127.0.0.1:${door}` }, ignoreHTTPSErrors: true, allowed: Object.values(NAMES), ...options }),
  };
}

/** @param {Record<string, string>} settings */
async function service(settings) {
  const env = { PATH: process.env.PATH, DATABASE_URL: process.env.DATABASE_URL, RECAP_HTTP_ADDR: "127.0.0.1:0", RECAP_ADMIN_ADDR: "127.0.0.1:0", RECAP_DRAIN_DELAY: "0ms", OTEL_SDK_DISABLED: "true", ...settings };
  const child = spawn(process.env.RECAP_QUERY, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const port = await address(child.stdout);
  // What it logs later must not fill the pipe.
  child.stdout.resume();
  return { port, stop: () => child.kill("SIGTERM") && ended };
}

async function address(stdout) {
  for await (const line of readline.createInterface({ input: stdout })) {
    const { message, addr } = JSON.parse(line);
    if (message === "serving") return Number(addr.split(":")[1]);
  }
  throw new Error("recap-query ended before it was ready");
}

/** For every name below example.com, made anew: nobody else trusts it. */
function certificate() {
  const directory = mkdtempSync(path.join(tmpdir(), "recap-certificate-"));
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(directory, name));
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:*.example.com"], { stdio: "pipe" });
  const made = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(directory, { recursive: true });
  return made;
}

/** @param {number} port @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
function forward(port, request, response) {
  // A connection of its own: one that is used again could be closed just then.
  const onward = http.request({ agent: false, host: "127.0.0.1", port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}

const listening = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
