// The worklet has to be a file of the app's own origin.
import { cp, mkdir } from 'node:fs/promises';

await mkdir('public', { recursive: true });
await cp('node_modules/@hallpass/client/dist/audio/worklet.js', 'public/hallpass.worklet.js');
