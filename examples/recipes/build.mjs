// Bundles each recipe for a browser into dist/.
import { build } from 'esbuild';

await build({
  entryPoints: { openai: 'src/openai.ts', 'agents-realtime': 'src/agents-realtime.ts', 'ai-sdk': 'src/ai-sdk.tsx' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
});
