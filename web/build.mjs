// Builds what the binary embeds, into web/dist, which is committed: the binary
// is built without Node. `node web/build.mjs --check` compares instead, after
// `npm ci` in clients/typescript and here.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scriptTag, worklet } from '../clients/typescript/scripts/build.mjs';

const web = fileURLToPath(new URL('.', import.meta.url));
const client = join(web, '../clients/typescript');
const { build } = createRequire(join(client, 'package.json'))('esbuild');

if (process.argv.includes('--check')) {
  process.exitCode = (await isCurrent()) ? 0 : 1;
} else {
  await write(join(web, 'dist'));
}

async function write(dist) {
  for (const page of ['demo', 'console']) {
    execFileSync(process.execPath, [join(client, 'node_modules/typescript/bin/tsc'), '-p', join(web, page)], { stdio: 'inherit' });
  }
  await rm(dist, { recursive: true, force: true });
  await mkdir(join(dist, 'demo'), { recursive: true });
  await scriptTag(join(dist, 'client.js'));
  await worklet(join(dist, 'client.worklet.js'));
  const options = { absWorkingDir: web, bundle: true, minify: true, format: 'esm', target: 'es2022', legalComments: 'none' };
  await build({ ...options, entryPoints: ['demo/src/main.ts'], outfile: join(dist, 'demo/demo.js') });
  await build({ ...options, entryPoints: ['demo/demo.css'], outfile: join(dist, 'demo/demo.css'), target: 'chrome123' });
  for (const file of ['index.html', 'icon.svg']) await cp(join(web, 'demo', file), join(dist, 'demo', file));
  // uPlot's licence asks that its notice goes where it goes.
  const notice = `/*! uPlot: https://github.com/leeoniya/uPlot\n${await readFile(join(web, 'node_modules/uplot/LICENSE'), 'utf8')}*/`;
  const console = { ...options, banner: { js: notice } };
  await build({ ...console, entryPoints: ['console/src/main.ts'], format: 'iife', outfile: join(dist, 'console/console.js') });
  await build({ ...options, entryPoints: ['console/console.css'], outfile: join(dist, 'console/console.css'), target: 'chrome123' });
  await cp(join(web, 'console/icon.svg'), join(dist, 'console/icon.svg'));
}

async function isCurrent() {
  const fresh = await mkdtemp(join(tmpdir(), 'hallpass-web-'));
  try {
    await write(fresh);
    const names = [...new Set([...(await files(fresh)), ...(await files(join(web, 'dist')))])].sort();
    const stale = [];
    for (const name of names) if (!(await same(join(fresh, name), join(web, 'dist', name)))) stale.push(name);
    for (const name of stale) console.error(`web/dist/${name} is not what its sources build`);
    if (stale.length > 0) console.error('Run `node web/build.mjs` and commit web/dist.');
    return stale.length === 0;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function files(folder) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

async function same(one, other) {
  const [left, right] = await Promise.all([one, other].map((path) => readFile(path).catch(() => undefined)));
  return left !== undefined && right !== undefined && left.equals(right);
}
