// The page of serve.mjs: tabs, one editor, and a line that says what is wrong.
import { editSpecs } from "./spec_editor.js";
import "./page.css";

const at = (id) => document.getElementById(id);
const { server, root, file } = await (await fetch("settings.json")).json();

/** Return the address of a file in the folder that is served. */
const address = (path) => `files?${new URLSearchParams({ path })}`;

async function read(path) {
  const answer = await fetch(address(path));
  if (answer.ok) return answer.text();
  if (answer.status !== 404) at("message").textContent = await answer.text();
}

async function write(path, text) {
  const answer = await fetch(address(path), { method: "PUT", body: text });
  if (answer.ok) return;
  told(`${path} is not saved: ${await answer.text()}`);
  throw new Error(path);
}

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Return a path as it is in the folder that is served. */
function nameOf(path) {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}

function changed() {
  if (!specs) return;
  const tabs = specs.files().map(({ path, inSight, unsaved }) => {
    const tab = document.createElement("button");
    tab.textContent = nameOf(path);
    tab.classList.toggle("unsaved", unsaved);
    tab.setAttribute("aria-current", inSight);
    tab.onclick = () => specs.open(path);
    return tab;
  });
  at("files").replaceChildren(...tabs);
  const { errors, warnings, first } = specs.problems();
  const counts = `${plural(errors, "error")}, ${plural(warnings, "warning")}`;
  const where = first && `${nameOf(first.resource.path)}:${first.startLineNumber}`;
  at("problems").textContent = first ? `${counts}; ${where}: ${first.message.split("\n")[0]}` : counts;
}

function told(message) {
  hasEnded = !message;
  at("message").textContent = message || "the language server has ended: start it, and reload";
}

let specs, hasEnded;
try {
  specs = await editSpecs(at("editor"), { server, read, write, changed, told });
  await specs.open(file);
  specs.editor.onDidChangeModelContent(() => hasEnded || (at("message").textContent = ""));
  at("server").textContent = server;
} catch (error) {
  told(error.message);
  throw error;
}
