import { cpus, loadavg, release, totalmem, type } from 'node:os';

/** Where figures come from; without it they mean nothing. */
export function machineFacts() {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.version,
    /** Of the last minute, when the bench began: much above 0 means that others worked on the machine. */
    loadAverageAtStart: Number(loadavg()[0]?.toFixed(2)),
  };
}
