import { serveParent } from './process.ts';

// Loaded into each candidate before its own code, whatever that is: it tells what the process has used.

const skills = {
  /** CPU time, user and system, of all threads, in µs; and resident memory, in bytes. */
  usage: (): { cpuUs: number; rssBytes: number } => {
    const { user, system } = process.cpuUsage();
    return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
  },
};

export type ProbeSkills = typeof skills;

serveParent(skills);
