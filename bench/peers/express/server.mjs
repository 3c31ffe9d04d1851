// The Express peer of `cargo xtask bench mint`: the endpoint as a web team
// would first write it. JWT (HS256), a rate limit per user, one audit line a
// mint (not synced to disk), OpenAI's own SDK.
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import jwt from 'jsonwebtoken';
import OpenAI from 'openai';
import pino from 'pino';

const { JWT_SECRET, OPENAI_API_KEY, OPENAI_BASE_URL, AUDIT_FILE, PORT } = process.env;

const openai = new OpenAI({ apiKey: OPENAI_API_KEY, baseURL: OPENAI_BASE_URL });
const audit = pino(pino.destination({ dest: AUDIT_FILE, sync: true }));

const app = express();
app.disable('x-powered-by');
app.use(express.json({ limit: '64kb' }));

function authenticate(req, res, next) {
  const [scheme, token] = (req.get('authorization') ?? '').split(' ');
  if (scheme !== 'Bearer' || !token) {
    return res.status(401).json({ error: 'Unauthorized' });
  }
  try {
    req.user = jwt.verify(token, JWT_SECRET, {
      algorithms: ['HS256'],
      issuer: 'https://bench.example.test',
      audience: 'hallpass',
    });
    next();
  } catch {
    res.status(401).json({ error: 'Unauthorized' });
  }
}

const limit = rateLimit({
  windowMs: 60_000,
  limit: 1_000_000_000,
  standardHeaders: 'draft-8',
  legacyHeaders: false,
  keyGenerator: (req) => req.user.sub,
});

app.post('/api/generate-client-secret', authenticate, limit, async (req, res) => {
  try {
    const secret = await openai.realtime.clientSecrets.create({
      expires_after: { anchor: 'created_at', seconds: 60 },
      session: {
        type: 'realtime',
        model: 'gpt-realtime-2.1',
        instructions: 'You are a friendly interviewer.',
        audio: { output: { voice: 'marin' } },
      },
    });
    audit.info({ event: 'client_secret.created', sub: req.user.sub, last4: secret.value.slice(-4), expires_at: secret.expires_at });
    res.set('Cache-Control', 'no-store').status(201).json({ value: secret.value, expires_at: secret.expires_at });
  } catch (error) {
    audit.error({ event: 'client_secret.failed', sub: req.user.sub, status: error.status });
    res.status(502).json({ error: 'Failed to generate token' });
  }
});

const server = app.listen(Number(PORT), '127.0.0.1');
// Kept open between the levels of a run, as the other peers keep theirs.
server.keepAliveTimeout = 120_000;
process.on('SIGTERM', () => process.exit(0));
