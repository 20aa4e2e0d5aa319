// Serves the page and the specs of a folder on the loopback address, with a language server of its own:
//   node serve.mjs [--port N] [--root FOLDER] SPEC [-- python -m compiler]
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, realpath, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };
const MOST_BYTES = 16 * 2 ** 20;
const split = process.argv.indexOf("--");
const [command, ...before] = split < 0 ? ["netdraft"] : process.argv.slice(split + 1);
const { values, positionals } = options();
const dist = join(import.meta.dirname, "dist");
const [spec] = positionals;
if (positionals.length !== 1) fail("usage: node serve.mjs [--port N] [--root FOLDER] SPEC [-- COMMAND ...]");
if (!existsSync(join(dist, "index.html"))) fail("the page is not there yet: npm ci && npm run build");
const root = await realpath(values.root).catch(() => fail(`there is no folder ${values.root}`));
const file = await realpath(spec).catch(() => fail(`there is no spec ${spec}`));
if (!(await inside(file))) fail(`${spec} is no YAML file below ${root}; say another folder with --root`);
let address, settings;

function options() {
  try {
    return parseArgs({
      args: process.argv.slice(2, split < 0 ? undefined : split),
      allowPositionals: true,
      options: { port: { type: "string", default: "0" }, root: { type: "string", default: "." } },
    });
  } catch (error) {
    return fail(error.message);
  }
}

/** Say what is wrong with the command, and end. */
function fail(message) {
  console.error(message);
  process.exit(2);
}

/** Return a spec's path, links followed; undefined for what is none, or outside the folder. */
async function inside(path) {
  const found = await realpath(resolve(path)).catch(() => undefined);
  return found?.startsWith(root + sep) && /\.ya?ml$/.test(found) ? found : undefined;
}

async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new Error("the file is too large");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Answer this page alone: not one elsewhere whose name leads here, nor one that posts from there. */
async function answer(request, response) {
  const say = (status, text) => response.writeHead(status, { "Content-Type": "text/plain" }).end(`${text}\n`);
  const { host, origin } = request.headers;
  const isWriting = request.method !== "GET";
  if (`http://${host}` !== address || (isWriting || origin ? origin !== address : false)) {
    return say(403, "only the page of this server is answered");
  }
  const url = new URL(request.url, address);
  if (url.pathname === "/files") {
    const path = await inside(url.searchParams.get("path") ?? "");
    if (!path) return say(404, "there is no such spec");
    if (!isWriting) return response.end(await readFile(path));
    if (request.method !== "PUT") return say(405, "GET or PUT");
    await writeFile(path, await bodyOf(request));
    return response.writeHead(204).end();
  }
  if (isWriting) return say(405, "GET");
  if (url.pathname === "/settings.json") return response.end(settings);
  const name = url.pathname === "/" ? "index.html" : url.pathname.slice(1);
  if (!/^[\w.-]+$/.test(name)) return say(404, "there is no such file");
  const data = await readFile(join(dist, name)).catch(() => undefined);
  if (!data) return say(404, "there is no such file");
  response.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream" }).end(data);
}

const server = createServer((request, response) => {
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("X-Frame-Options", "DENY");
  answer(request, response).catch((error) => response.writeHead(500).end(`${error.message}\n`));
});
server.on("error", (error) => fail(`port ${values.port} cannot be had: ${error.code}`));
server.listen(Number(values.port), "127.0.0.1", () => {
  address = `http://127.0.0.1:${server.address().port}`;
  const lsp = spawn(command, [...before, "lsp", "--ws", "0", "--origin", address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  lsp.on("error", (error) => {
    console.error(`${command} does not start (${error.message}); pip install 'netdraft[lsp]'`);
    process.exit(1);
  });
  lsp.on("exit", (code) => process.exit(code ?? 1));
  process.on("exit", () => lsp.kill());
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
  createInterface(lsp.stdout).once("line", (line) => {
    settings = JSON.stringify({ server: /ws:\S+/.exec(line)[0], root, file });
    console.log(`editing ${positionals[0]} at ${address}/ (Ctrl-C ends it)`);
  });
});
