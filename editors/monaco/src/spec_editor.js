// Monaco with the language server of netdraft: no rule of the language is here.
import { getService, ITextFileService } from "@codingame/monaco-vscode-api";
import { createModelReference } from "@codingame/monaco-vscode-api/monaco";
import getBulkEdits from "@codingame/monaco-vscode-bulk-edit-service-override";
import * as monaco from "@codingame/monaco-vscode-editor-api";
import {
  EmptyFileSystemProvider,
  FileSystemProviderCapabilities,
  FileSystemProviderError,
  FileSystemProviderErrorCode,
  FileType,
  registerFileSystemOverlay,
} from "@codingame/monaco-vscode-files-service-override";
import "@codingame/monaco-vscode-yaml-default-extension";
import { LanguageClientWrapper } from "monaco-languageclient/lcwrapper";
import { MonacoVscodeApiWrapper } from "monaco-languageclient/vscodeApiWrapper";
import { useWorkerFactory, Worker } from "monaco-languageclient/workerFactory";

const dark = matchMedia("(prefers-color-scheme: dark)");
const SETTINGS = {
  "editor.experimental.asyncTokenization": false, // a spec is short
  "editor.fontSize": 14,
  "editor.inlayHints.enabled": "on",
  "editor.minimap.enabled": false,
  "editor.scrollBeyondLastLine": false,
  "editor.tabSize": 2,
  "editor.wordBasedSuggestions": "off",
};
const WORKERS = {
  editorWorkerService: () => new Worker(new URL("./editor.worker.js", import.meta.url), { type: "module" }),
};

/**
 * Edit specs in an element of a page; once a page, since Monaco's services are global.
 *
 * - `server`: the address that `netdraft lsp --ws` prints.
 * - `read(path)`, `write(path, text)`: how the page gets and keeps a file, each a promise. Paths are
 *   those of the machine on which the server runs; of a file that is not there `read` gives undefined.
 * - `changed()`: is called when another file is shown, one is edited or saved, or findings came.
 * - `told(message)`: what the server refuses, such as a new name that is taken; "" when it is gone.
 */
export async function editSpecs(element, { server, read, write, changed, told }) {
  registerFileSystemOverlay(1, new Specs(read, write));
  const shown = new Map();
  const views = new Map(); // where each file was scrolled to
  let editor;

  /** Show a model, and where in it. */
  async function show(reference, options) {
    const model = reference.object.textEditorModel;
    shown.set(model.uri.path, reference);
    views.set(editor.getModel(), editor.saveViewState());
    editor.setModel(model);
    editor.restoreViewState(views.get(model));
    if (options?.selection) {
      const at = monaco.Range.lift(options.selection);
      editor.setSelection(at);
      editor.revealRangeInCenterIfOutsideViewport(at);
    }
    editor.focus();
    changed();
    return editor;
  }

  const theme = () => `Default ${dark.matches ? "Dark" : "Light"} Modern`;
  const api = new MonacoVscodeApiWrapper({
    $type: "extended",
    viewsConfig: { $type: "EditorService", openEditorFunc: show },
    serviceOverrides: getBulkEdits(),
    userConfiguration: { json: JSON.stringify({ ...SETTINGS, "workbench.colorTheme": theme() }) },
    monacoWorkerFactory: (logger) => useWorkerFactory({ logger, workerLoaders: WORKERS }),
  });
  await api.start();
  const files = await getService(ITextFileService);
  files.files.onDidChangeDirty(changed);
  editor = monaco.editor.create(element, { automaticLayout: true, model: null });
  monaco.editor.onDidChangeMarkers(changed);

  /** Save every file that was edited, by a rename also those that are not shown. */
  async function save() {
    const edited = files.files.models.filter((model) => model.isDirty());
    await Promise.all(edited.map((model) => model.save()));
  }

  editor.addAction({
    id: "netdraft.save",
    label: "Save All",
    keybindings: [monaco.KeyMod.CtrlCmd | monaco.KeyCode.KeyS],
    run: save,
  });
  const webSocket = new WebSocket(server);
  webSocket.addEventListener("close", () => told(""));
  const client = new LanguageClientWrapper({
    languageId: "yaml",
    connection: { options: { $type: "WebSocketDirect", webSocket } },
    clientOptions: { documentSelector: [{ scheme: "file", language: "yaml" }] },
  });
  await client.start();
  client.getLanguageClient().onNotification("window/showMessage", ({ message }) => told(message));

  return {
    editor,
    save,
    /** Show a file by its path. */
    open: async (path) => show(shown.get(path) ?? (await createModelReference(monaco.Uri.file(path)))),
    /** Return the files that were shown: path, whether it is the one in sight, whether it has changes. */
    files: () =>
      [...shown].map(([path, reference]) => ({
        path,
        inSight: editor.getModel() === reference.object.textEditorModel,
        unsaved: reference.object.isDirty(),
      })),
    /** Return how many errors and warnings there are, in all files, and the first of the worst. */
    problems: () => {
      const found = monaco.editor.getModelMarkers({});
      const count = (severity) => found.filter((marker) => marker.severity === severity).length;
      return {
        errors: count(monaco.MarkerSeverity.Error),
        warnings: count(monaco.MarkerSeverity.Warning),
        first: found.sort((a, b) => b.severity - a.severity || a.startLineNumber - b.startLineNumber)[0],
      };
    },
  };
}

/** The page's files, as Monaco reads and writes them; other paths are none of them. */
class Specs extends EmptyFileSystemProvider {
  capabilities =
    FileSystemProviderCapabilities.FileReadWrite | FileSystemProviderCapabilities.PathCaseSensitive;
  #read;
  #write;
  #written = new Map();

  constructor(read, write) {
    super();
    this.#read = read;
    this.#write = write;
  }

  async stat(uri) {
    const { length } = await this.readFile(uri);
    const mtime = this.#written.get(uri.path) ?? 0;
    return { type: FileType.File, ctime: 0, mtime, size: length };
  }

  async readFile(uri) {
    const text = /\.ya?ml$/.test(uri.path) ? await this.#read(uri.fsPath) : undefined;
    if (text === undefined) {
      throw FileSystemProviderError.create(uri.path, FileSystemProviderErrorCode.FileNotFound);
    }
    return new TextEncoder().encode(text);
  }

  async writeFile(uri, content) {
    await this.#write(uri.fsPath, new TextDecoder().decode(content));
    this.#written.set(uri.path, Date.now());
  }
}
