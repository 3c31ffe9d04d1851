import type { Broker } from './broker.js';
import type { ResponseUsage, ServerEvent } from './events.js';
import type { Grant } from './ticket.js';

/** Tokens, by OpenAI's names. */
export type Usage = Record<(typeof COUNTS)[number], number>;

const COUNTS = [
  'total_tokens',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'input_text_tokens',
  'input_audio_tokens',
  'output_text_tokens',
  'output_audio_tokens',
] as const;

/** At most one report of usage in this time, in milliseconds. */
const EVERY_MS = 10_000;

/** No usage yet. */
export function noUsage(): Usage {
  return Object.fromEntries(COUNTS.map((name) => [name, 0])) as Usage;
}

/**
 * Adds up usage, and tells the server what only the page can see.
 *
 * In relay and call mode the server sees it all itself and is told nothing. A
 * report that fails is not repeated: the conversation matters more.
 */
export class Reports {
  readonly total: Usage = noUsage();
  #unsaid = noUsage();
  #saidAt = 0;
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  connected(grant: Grant): void {
    this.#tell(grant, { type: 'connected' });
  }

  released(grant: Grant, reason: string): void {
    this.#usage(grant);
    this.#tell(grant, { type: 'disconnected', reason });
  }

  observe(grant: Grant | undefined, event: ServerEvent): void {
    if (event.type !== 'response.done' || !event.response.usage) return;
    add(this.total, event.response.usage);
    add(this.#unsaid, event.response.usage);
    if (grant && Date.now() - this.#saidAt >= EVERY_MS) this.#usage(grant);
  }

  #usage(grant: Grant): void {
    if (this.#unsaid.total_tokens === 0) return;
    this.#saidAt = Date.now();
    this.#tell(grant, { type: 'usage', usage: this.#unsaid });
    this.#unsaid = noUsage();
  }

  #tell({ id, mode }: Grant, report: object): void {
    if (!id || mode !== 'direct') return;
    const path = `/api/client-secrets/${id}/events`;
    // Outlives the page: the last report is the one that matters most.
    void this.#broker.post(path, report, new AbortController().signal, true).catch(() => undefined);
  }
}

function add(sum: Usage, usage: ResponseUsage): void {
  const { input_token_details: input, output_token_details: output } = usage;
  const counts: Partial<Usage> = {
    ...(usage as Partial<Usage>),
    cached_tokens: input?.cached_tokens ?? 0,
    input_text_tokens: input?.text_tokens ?? 0,
    input_audio_tokens: input?.audio_tokens ?? 0,
    output_text_tokens: output?.text_tokens ?? 0,
    output_audio_tokens: output?.audio_tokens ?? 0,
  };
  for (const name of COUNTS) sum[name] += counts[name] ?? 0;
}
