// Runs the extension with a VS Code and a client that only write down what is asked of them.
"use strict";
const Module = require("module");
const { settings, fault, path } = JSON.parse(process.argv[2]);
const seen = { made: [], calls: [], messages: [], commands: [] };
let changed;

class LanguageClient {
  constructor(...given) {
    seen.made.push(given);
  }
  async start() {
    seen.calls.push("start");
    if (fault) throw new Error(fault);
  }
  needsStop() {
    return !fault;
  }
  async stop() {
    seen.calls.push("stop");
  }
}

const vscode = {
  workspace: {
    getConfiguration: () => ({ get: (name) => settings[name] }),
    workspaceFolders: [{ uri: { fsPath: "/project" } }],
    onDidChangeConfiguration: (listener) => (changed = listener),
  },
  window: { showErrorMessage: (text) => seen.messages.push(text) },
  commands: { registerCommand: (name) => seen.commands.push(name) },
};
const load = Module._load;
Module._load = (name, ...rest) => {
  if (name === "vscode") return vscode;
  if (name === "vscode-languageclient/node") return { LanguageClient };
  return load(name, ...rest);
};

(async () => {
  const extension = require(path);
  await extension.activate({ subscriptions: [] });
  await changed({ affectsConfiguration: (name) => name === "netdraft" });
  await extension.deactivate();
  console.log(JSON.stringify(seen));
})();
