import type { Session } from 'node:inspector/promises';
import type { CpuProfile } from './flame/stacks.ts';
import { serveParent } from './process.ts';

// Loaded into each candidate before its own code, whatever that is: it tells what the process has used.

let session: Session | undefined;

/** Between two samples of a profile, in µs. */
const SAMPLED_EACH_US = 250;

const skills = {
  /** CPU time, user and system, of all threads, in µs; and resident memory, in bytes. */
  usage: (): { cpuUs: number; rssBytes: number } => {
    const { user, system } = process.cpuUsage();
    return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
  },
  startProfile: async (): Promise<void> => {
    // Only for those who are profiled: start-up time and memory are measured too.
    const inspector = await import('node:inspector/promises');
    session ??= new inspector.Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLED_EACH_US });
    await session.post('Profiler.start');
  },
  /** Since `startProfile`. */
  stopProfile: async (): Promise<CpuProfile> => {
    if (session === undefined) throw new Error('no profile was started');
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return profile;
  },
};

export type ProbeSkills = typeof skills;

serveParent(skills);
