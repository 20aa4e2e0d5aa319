// Starts `netdraft lsp` and leaves everything to it: no rule of the language is here.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

/** Start the server that the settings name, for the files that they name. */
async function start() {
  const settings = vscode.workspace.getConfiguration("netdraft");
  const [command, ...args] = settings.get("command");
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  client = new LanguageClient(
    "netdraft",
    "netdraft",
    { command, args, options: { cwd: folder } },
    { documentSelector: [{ scheme: "file", language: "yaml", pattern: settings.get("files") }] },
  );
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(
      `netdraft: \`${[command, ...args].join(" ")}\` does not start (${error.message}); ` +
        "pip install 'netdraft[lsp]', or say in netdraft.command what starts it",
    );
  }
}

/** Stop the server, if it runs. */
async function stop() {
  if (client?.needsStop()) await client.stop();
  client = undefined;
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("netdraft.restart", restart),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("netdraft")) return restart();
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
