/** A part of an item's content, in OpenAI's words. */
export interface ContentPart {
  type: string;
  text?: string;
  transcript?: string | null;
  audio?: string;
  image_url?: string;
}

/** An item of the conversation, in OpenAI's words. */
export interface Item {
  id?: string;
  type: string;
  role?: 'user' | 'assistant' | 'system';
  status?: string;
  content?: ContentPart[];
  call_id?: string;
  name?: string;
  arguments?: string;
  output?: string;
}

/** What a response cost, as `response.done` reports it. */
export interface ResponseUsage {
  total_tokens?: number;
  input_tokens?: number;
  output_tokens?: number;
  input_token_details?: {
    text_tokens?: number;
    audio_tokens?: number;
    cached_tokens?: number;
  };
  output_token_details?: { text_tokens?: number; audio_tokens?: number };
}

/** The error of an `error` event. */
export interface ApiError {
  type?: string;
  code?: string | null;
  message?: string;
  param?: string | null;
  event_id?: string | null;
}

/** Session members this package reads; the rest passes through untyped. */
export interface SessionConfig {
  id?: string;
  type?: string;
  model?: string;
  expires_at?: number;
  audio?: {
    input?: {
      turn_detection?: { type?: string; create_response?: boolean } | null;
      transcription?: unknown;
    };
    output?: { voice?: unknown };
  };
  [member: string]: unknown;
}

interface Place {
  item_id: string;
  content_index?: number;
  response_id?: string;
}

interface Body {
  'session.created': { session: SessionConfig };
  'session.updated': { session: SessionConfig };
  error: { error: ApiError };
  'conversation.item.added': { item: Item; previous_item_id?: string | null };
  'conversation.item.done': { item: Item; previous_item_id?: string | null };
  'conversation.item.deleted': { item_id: string };
  'conversation.item.truncated': { item_id: string; audio_end_ms: number };
  'conversation.item.input_audio_transcription.delta': Place & { delta?: string };
  'conversation.item.input_audio_transcription.completed': Place & { transcript: string };
  'conversation.item.input_audio_transcription.failed': Place & { error?: ApiError };
  'input_audio_buffer.speech_started': { item_id?: string; audio_start_ms?: number };
  'input_audio_buffer.speech_stopped': { item_id?: string; audio_end_ms?: number };
  'input_audio_buffer.committed': { item_id: string; previous_item_id?: string | null };
  'input_audio_buffer.cleared': object;
  'response.created': { response: { id: string } };
  'response.done': {
    response: {
      id: string;
      status?: string;
      status_details?: { type?: string; reason?: string; error?: ApiError } | null;
      output?: Item[];
      usage?: ResponseUsage | null;
    };
  };
  'response.output_item.added': { item: Item };
  'response.output_item.done': { item: Item };
  'response.output_audio.delta': Place & { delta: string };
  'response.output_audio.done': Place;
  'response.output_audio_transcript.delta': Place & { delta: string };
  'response.output_audio_transcript.done': Place & { transcript: string };
  'response.output_text.delta': Place & { delta: string };
  'response.output_text.done': Place & { text: string };
  'response.function_call_arguments.done': Place & {
    call_id: string;
    name?: string;
    arguments: string;
  };
  'rate_limits.updated': { rate_limits: unknown[] };
  'output_audio_buffer.started': { response_id?: string };
  'output_audio_buffer.stopped': { response_id?: string };
  /** Relay mode: what Hallpass holds this session to; Unix seconds. */
  'hallpass.session': { id: string; grant: string; ends_at: number; lease_until?: number | null };
  /** Relay mode: what is about to end it. */
  'hallpass.warning': {
    kind: 'time_limit' | 'lease' | 'budget' | (string & {});
    seconds_left?: number;
    bound?: string;
    percent?: number;
  };
  /** Relay mode: members of a `session.update` that the profile does not let a page change. */
  'hallpass.set_back': { members: string[] };
}

/** Server events this package knows, by `type`. */
export type ServerEventMap = {
  [Type in keyof Body]: { type: Type; event_id?: string } & Body[Type];
};

/** An event of the server: one that is known, or any other. */
export type ServerEvent = ServerEventMap[keyof ServerEventMap];

interface ClientBody {
  'session.update': { session: SessionConfig };
  'input_audio_buffer.append': { audio: string };
  'input_audio_buffer.commit': object;
  'input_audio_buffer.clear': object;
  'conversation.item.create': { item: Item; previous_item_id?: string };
  'conversation.item.delete': { item_id: string };
  'conversation.item.retrieve': { item_id: string };
  'conversation.item.truncate': { item_id: string; content_index: number; audio_end_ms: number };
  'response.create': { response?: Record<string, unknown> };
  'response.cancel': { response_id?: string };
  'output_audio_buffer.clear': object;
}

/** What a page may send, by `type`. */
export type ClientEvent = {
  [Type in keyof ClientBody]: { type: Type; event_id?: string } & ClientBody[Type];
}[keyof ClientBody];
