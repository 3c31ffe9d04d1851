export type { ReconnectPolicy } from './backoff.js';
export type { CallMedia } from './call.js';
export type { LifeOptions } from './defaults.js';
export type { Off } from './emitter.js';
export type { Disconnection, EndCause } from './ends.js';
export type { DirectRenewal, EngineEvents, Renewal, Restored, SessionEvents, Status } from './engine.js';
export {
  ConnectError,
  DeviceError,
  DisconnectedError,
  HallpassError,
  SessionError,
  TokenError,
  type ErrorFacts,
} from './errors.js';
export type {
  ApiError,
  ClientEvent,
  ContentPart,
  Item,
  ResponseUsage,
  ServerEvent,
  ServerEventMap,
  SessionConfig,
} from './events.js';
export type { HistoryLimits, TranscriptEntry } from './history.js';
export {
  RealtimeWebSocketManager,
  type ManagerHandlers,
  type ManagerOptions,
  type Token,
  type TokenGiver,
} from './manager.js';
export type { Usage } from './reports.js';
export { HallpassSession, type SessionOptions } from './session.js';
export type { WebSocketClass } from './socket.js';
export type { Grant, Mode, TicketReason } from './ticket.js';
