export type { HealthConfig, RetryConfig, RouteConfig, RouterConfig, StrategyName } from './config.ts';
export type { AttemptRole } from './decide/attempt.ts';
export type { AttemptCost, Cost } from './decide/cost.ts';
export type { Duration } from './decide/duration.ts';
export type { EmbeddingInput, EmbeddingRequest, EmbeddingResponse, Vector } from './decide/embedding.ts';
export { FAILURE_RULES, type Failure, type FailureKind, type FailureRule, type VendorError } from './decide/failure.ts';
export type { BreakerReason, Standing } from './decide/health/breaker.ts';
export type { GateNews, ModelNews, News, Trust } from './decide/health/news.ts';
export type { LongPrompts, TargetPrice, Tariff } from './decide/price.ts';
export type { Recovery } from './decide/recovery.ts';
export type {
  AssistantMessage,
  AudioPart,
  ChatRequest,
  ChatSettings,
  Continuation,
  FilePart,
  ImagePart,
  Message,
  OutputFormat,
  SystemMessage,
  TextPart,
  Tool,
  ToolCall,
  ToolChoice,
  ToolMessage,
  UnknownPart,
  UserMessage,
  UserPart,
  WireFormat,
} from './decide/request.ts';
export type { Supports } from './decide/requirements.ts';
export type { ChatEvent, ChatResponse, FinishReason, Usage } from './decide/response.ts';
export type { Interval } from './decide/sequential.ts';
export {
  type BestPerformanceOptions,
  bestPerformance,
  type Utility,
  type UtilityFacts,
} from './decide/strategies/best-performance.ts';
export { type LeastCostOptions, leastCost } from './decide/strategies/least-cost.ts';
export { type LeastLatencyOptions, leastLatency } from './decide/strategies/least-latency.ts';
export { priority } from './decide/strategies/priority.ts';
export { roundRobin } from './decide/strategies/round-robin.ts';
export { weightedRoundRobin } from './decide/strategies/weighted-round-robin.ts';
export type {
  Feedback,
  Observation,
  PickContext,
  Picker,
  Strategy,
  StrategyPool,
  StrategyReport,
  StrategyTarget,
} from './decide/strategy.ts';
export { type AttemptReport, isRouterError, RouterError, type RouterErrorCode, type SkippedTarget } from './errors.ts';
export type { RouterEvent } from './events.ts';
export type {
  ArmReadout,
  Comparison,
  ExperimentConfig,
  ExperimentMetric,
  ExperimentReadout,
} from './experiment.ts';
export type { Explanation, Ranked } from './explanation.ts';
export type { TargetGroup } from './group.ts';
export { type EventStream, type Packets, packetsOf } from './packets.ts';
export { PRICES_AS_OF } from './prices.ts';
export type { TargetSpec } from './provider.ts';
export type { Rank, RankContext } from './rank.ts';
export type { CallOptions, ChatAnswer, EmbeddingAnswer, FeedbackReceipt, StreamOptions, TokenCount } from './route.ts';
export { type ChatStream, createRouter, type ExplainOptions, type Router } from './router.ts';
export type { System } from './run/system.ts';
export type { Signal } from './signals.ts';
export type {
  GroupSnapshot,
  LearnedWindowSnapshot,
  PaceSnapshot,
  RouteSnapshot,
  SpendingSnapshot,
  TargetName,
  TargetSnapshot,
} from './snapshot.ts';
export type { RouterState, RouteState } from './state.ts';
export type { Membership, Store } from './store.ts';
export type { SpendingBudget, TargetOptions, Timeouts } from './target.ts';
export type { Served } from './way.ts';
