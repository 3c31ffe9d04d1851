// Brings the client that was just built into this example: the package itself,
// and its worklet as a file of the app's own origin.
import { cp, mkdir } from 'node:fs/promises';

const built = process.argv[2] ?? '../../clients/typescript/dist';
await mkdir('public', { recursive: true });
await cp(built, 'node_modules/@hallpass/client/dist', { recursive: true });
await cp(`${built}/audio/worklet.js`, 'public/hallpass.worklet.js');
