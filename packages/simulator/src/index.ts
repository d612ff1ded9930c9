export {
  FAULT_KINDS,
  type Fault,
  type FaultEffect,
  type FaultKind,
  type Flap,
  parseFault,
  RETRY_AFTER_FORMS,
  type RetryAfter,
} from './fault.ts';
export type { RateLimit } from './limit.ts';
export type { Manners } from './manners.ts';
export { type Simulator, type SimulatorOptions, startSimulator } from './simulator.ts';
export {
  type CallOutcome,
  type CallRecord,
  type RecordedRequest,
  type SimulatedVendor,
  VENDOR_NAMES,
  type VendorModel,
  type VendorName,
  type VendorOptions,
} from './vendor.ts';
