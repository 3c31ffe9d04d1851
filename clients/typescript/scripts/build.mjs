// Builds the package into dist/, or the folder that is named: modules and their types by TypeScript, and
// one file for script tags by esbuild.
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** One file for a script tag: everything as `Hallpass`. */
export function scriptTag(outfile) {
  return build({
    absWorkingDir: root,
    entryPoints: ['src/script.ts'],
    outfile,
    bundle: true,
    minify: true,
    format: 'iife',
    globalName: 'Hallpass',
    target: 'es2022',
    legalComments: 'none',
    banner: { js: '/*! @hallpass/client, Apache-2.0 */' },
  });
}

/** The worklet, which a page loads by its address. */
export function worklet(outfile) {
  return build({
    absWorkingDir: root,
    entryPoints: ['src/audio/worklet.ts'],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    banner: { js: '/*! @hallpass/client, Apache-2.0 */' },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = resolve(root, process.argv[2] ?? 'dist');
  await rm(dist, { recursive: true, force: true });
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.', '--outDir', dist], { cwd: root, stdio: 'inherit' });
  await scriptTag(`${dist}/hallpass.iife.js`);
}
