// Bundles the page into dist/: `npm run build`, or `node build.mjs FOLDER` for another place.
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const dist = process.argv[2] ?? join(here, "dist");
const ASSETS = ["code-snippets", "html", "json", "mp3", "png", "svg", "tmLanguage", "ttf", "wasm"];
const FILE = /\bnew\s+URL\(\s*(["'])([^"']+)\1\s*,\s*import\.meta\.url\s*\)/g;

/** Bundles the files that packages name by `new URL("theme.json", import.meta.url)`. */
const files = {
  name: "files",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules.*\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const imports = [];
      const contents = text.replace(FILE, (whole, _, name) => {
        if (!ASSETS.some((ending) => name.endsWith(`.${ending}`))) return whole; // a worker
        const at = imports.push(`import file${imports.length} from ${JSON.stringify(name)};`) - 1;
        return `new URL(file${at}, import.meta.url)`;
      });
      return imports.length ? { contents: imports.join("\n") + contents } : undefined;
    });
  },
};

await build({
  absWorkingDir: here,
  entryPoints: {
    page: "src/page.js",
    "editor.worker": "@codingame/monaco-vscode-editor-api/esm/vs/editor/editor.worker.js",
  },
  outdir: dist,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  loader: Object.fromEntries(ASSETS.map((ending) => [`.${ending}`, "file"])),
  plugins: [files],
});
await cp(join(here, "src", "index.html"), join(dist, "index.html"));
