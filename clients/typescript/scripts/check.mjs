// Holds the built package to what it promises: it can be published, its types
// resolve, and each entry point stays within its size.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What a page may at most download, in kB after gzip; 1 kB is 1,000 bytes. */
const LIMITS = {
  'core (.)': { code: "export * from './dist/index.js'", kB: 10 },
  'core, only RealtimeWebSocketManager': { code: "export { RealtimeWebSocketManager } from './dist/index.js'", kB: 8.3 },
  'WebRTC calls, fetched when one is made': { code: "export * from './dist/call.js'", kB: 2.5 },
  './audio, with the core': { code: "export * from './dist/audio/index.js'", kB: 14 },
  './react, with audio and core': { code: "export * from './dist/react/index.js'", kB: 15 },
  './worklet': { code: "import './dist/audio/worklet.js'", kB: 2 },
  'script tag': { file: 'dist/hallpass.iife.js', kB: 15 },
};

const failures = [...(await lint()), ...(await types()), ...(await sizes()), ...(await plain())];
for (const failure of failures) console.error(`✗ ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;

async function lint() {
  const { messages, pkg } = await publint({ pkgDir: root, strict: true });
  console.log(`publint: ${messages.length === 0 ? 'all good' : `${messages.length} messages`}`);
  return messages.map((message) => `publint: ${formatMessage(message, pkg)}`);
}

async function types() {
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-pack-'));
  try {
    const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
    const listed = JSON.parse(packed);
    const { filename } = Array.isArray(listed) ? listed[0] : Object.values(listed)[0];
    const { problems = [] } = await checkPackage(createPackageFromTarballData(await readFile(join(folder, filename))));
    // An ES module only: old Node, and CommonJS without require(esm), are not served.
    const served = problems.filter(({ kind, resolutionKind, entrypoint }) => {
      const script = entrypoint === './hallpass.iife.js';
      return !script && kind !== 'CJSResolvesToESM' && resolutionKind !== 'node10';
    });
    console.log(`arethetypeswrong (ES module only): ${served.length === 0 ? 'no problems' : `${served.length} problems`}`);
    return served.map((problem) => `arethetypeswrong: ${JSON.stringify(problem)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function sizes() {
  const over = [];
  for (const [name, { code, file, kB }] of Object.entries(LIMITS)) {
    const bytes = file ? await readFile(join(root, file)) : await bundled(code);
    const size = gzipSync(bytes, { level: 9 }).length / 1000;
    console.log(`size: ${name}: ${(bytes.length / 1000).toFixed(1)} kB, ${size.toFixed(2)} kB gzip (limit ${kB})`);
    if (size > kB) over.push(`${name} is ${size.toFixed(2)} kB after gzip, over its ${kB}`);
  }
  return over;
}

/** What a page downloads at first: all but the chunks that are fetched when needed. */
async function bundled(code) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: root, sourcefile: 'page.js' },
    absWorkingDir: root,
    outdir: 'out',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['react'],
    metafile: true,
    write: false,
  });
  const first = new Set();
  const follow = (path) => {
    if (first.has(path) || !metafile.outputs[path]) return;
    first.add(path);
    for (const { path: next, kind } of metafile.outputs[path].imports) if (kind === 'import-statement') follow(next);
  };
  follow(Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint));
  const parts = outputFiles.filter(({ path }) => [...first].some((each) => path.endsWith(each)));
  return Buffer.concat(parts.map(({ contents }) => contents));
}

/** No dependency at run time, and a worklet that imports nothing. */
async function plain() {
  const { dependencies = {} } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const worklet = await readFile(join(root, 'dist/audio/worklet.js'), 'utf8');
  const found = Object.keys(dependencies).map((name) => `${name} is a dependency at run time`);
  return /^\s*import\b/m.test(worklet) ? [...found, 'the worklet imports something'] : found;
}
