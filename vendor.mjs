// `make vendor`: writes noVNC and xterm.js of package-lock.json into static/vendor/, each as one minified module with its
// licence, and says in README there what they are. rollup, since esbuild wraps noVNC's top-level await wrongly.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import terser from "@rollup/plugin-terser";
import { rollup } from "rollup";

const FOLDER = new URL("static/vendor/", import.meta.url);
const MARK = "\nWritten by `make vendor`";
const lock = JSON.parse(readFileSync(new URL("package-lock.json", import.meta.url))).packages;

const read = (path) => readFileSync(new URL(`node_modules/${path}`, import.meta.url), "utf8");
const versionOf = (name) => lock[`node_modules/${name}`].version;

async function bundle(file, source, { banner, comments }) {
  const entry = {
    name: "entry",
    resolveId: (id) => (id === "entry" ? id : null),
    load: (id) => (id === "entry" ? source : null),
  };
  const made = await rollup({ input: "entry", plugins: [entry, nodeResolve()] });
  const minify = terser({ module: true, ecma: 2022, format: { comments } });
  const { output } = await made.generate({ format: "es", banner, plugins: [minify] });
  if (output.length !== 1) throw new Error(`${file} is not one file`);
  writeFileSync(new URL(file, FOLDER), output[0].code);
}

function describe(file, what, packages, licence, usedBy) {
  const hash = createHash("sha256")
    .update(readFileSync(new URL(file, FOLDER)))
    .digest("hex");
  const sources = packages.map(
    (name) => `  Package  ${name} ${versionOf(name)} ${lock[`node_modules/${name}`].integrity}\n`,
  );
  return `
${file}
  What     ${what}
${sources.join("")}  File     sha256 ${hash}
  Licence  ${licence}
  Used by  ${usedBy}
`;
}

for (const file of readdirSync(FOLDER)) if (/^(novnc|xterm)-/.test(file)) rmSync(new URL(file, FOLDER));

const novnc = `novnc-${versionOf("@novnc/novnc")}`;
const notice =
  `/*! noVNC ${versionOf("@novnc/novnc")}, (C) The noVNC authors, MPL-2.0, with parts of pako, MIT. Source: the npm package ` +
  `@novnc/novnc. Licences: ${novnc}.LICENSE */`;
await bundle(`${novnc}.min.js`, 'export { default } from "@novnc/novnc";', { banner: notice, comments: /^!/ });
const des = read("@novnc/novnc/core/crypto/des.js");
writeFileSync(
  new URL(`${novnc}.LICENSE`, FOLDER),
  [
    read("@novnc/novnc/LICENSE.txt"),
    read("@novnc/novnc/docs/LICENSE.MPL-2.0"),
    `vendor/pako/LICENSE\n\n${read("@novnc/novnc/vendor/pako/LICENSE")}`,
    `core/crypto/des.js\n\n${des.slice(0, des.indexOf("*/") + 2)}`,
  ]
    .map((text) => `${text.trim()}\n`)
    .join(`\n${"-".repeat(78)}\n\n`),
);

const ADDONS = {
  "@xterm/addon-fit": "FitAddon",
  "@xterm/addon-search": "SearchAddon",
  "@xterm/addon-web-links": "WebLinksAddon",
};
const xterm = `xterm-${versionOf("@xterm/xterm")}`;
const exported = Object.entries({ "@xterm/xterm": "Terminal", ...ADDONS });
// Notices stay in the file: the addons' licences differ from the terminal's only in whose they are.
await bundle(`${xterm}.min.js`, exported.map(([name, it]) => `export { ${it} } from "${name}";`).join("\n"), {
  comments: /copyright/i,
});
writeFileSync(new URL(`${xterm}.css`, FOLDER), read("@xterm/xterm/css/xterm.css"));
writeFileSync(new URL(`${xterm}.LICENSE`, FOLDER), read("@xterm/xterm/LICENSE"));

const about = new URL("README", FOLDER);
const [byHand] = readFileSync(about, "utf8").split(MARK);
writeFileSync(
  about,
  `${byHand}${MARK} from the packages in package-lock.json. To renew: change the version with npm install, run it, change
the names in templates/workstations/, and try both pages.
${describe(
  `${novnc}.min.js`,
  "noVNC as one minified module; its source is the npm package, unchanged",
  ["@novnc/novnc"],
  `MPL-2.0; parts MIT and BSD, all in ${novnc}.LICENSE`,
  "the page of a workstation's desktop",
)}${describe(
    `${xterm}.min.js`,
    "xterm.js and three of its addons as one minified module",
    ["@xterm/xterm", ...Object.keys(ADDONS)],
    `MIT, in ${xterm}.LICENSE`,
    "the page of a workstation's terminal",
  )}${describe(
    `${xterm}.css`,
    "the file css/xterm.css of the npm package, unchanged",
    ["@xterm/xterm"],
    `MIT, in ${xterm}.LICENSE`,
    "the page of a workstation's terminal",
  )}`,
);
