export type { HttpAddress } from './httpServer.ts';
export { createLogger, errorFields, type LineSink, type LogLevel } from './logs.ts';
export { logText } from './logText.ts';
export { type MetricDefinition, metrics } from './metricNames.ts';
export { ProgressLine } from './progressLine.ts';
export {
  type DaemonOptions,
  type DaemonOutcome,
  type DaemonPipeline,
  type PipelineOutcome,
  runDaemon,
} from './runDaemon.ts';
export type { StopSignal } from './signals.ts';
