// Follows a job to its end: a stream of events, or questions again and again where the daemon has no stream.
import { getJSON, jobPath, send } from './api.js';
import { messages } from './event-stream.js';

export const isEnded = (job) => ['succeeded', 'failed', 'cancelled'].includes(job.status);

const longestPause = 15_000;

/**
 * Tells `handlers` of a job's changes until it ends or `signal` is aborted: `job(job)`, `progress(change)`, `event(event)` for each
 * durable event in order, `connection(isThere)`, `deleted()`.
 */
export async function followJob(id, handlers, signal) {
  const position = { after: 0, version: 0 };
  for (let failures = 0; !signal.aborted; ) {
    try {
      const outcome = await follow(id, position, handlers, signal, () => (failures = 0));
      if (outcome === 'ended') return;
      if (outcome === 'deleted') return handlers.deleted();
    } catch (error) {
      if (signal.aborted || error.status === 401) return;
      if (error.status === 404) return handlers.deleted();
    }
    failures += 1;
    if (failures > 1) handlers.connection(false);
    await pause(Math.min(longestPause, 500 * 2 ** failures), signal);
  }
}

/** One connection; returns why it ended. */
async function follow(id, position, handlers, signal, received) {
  const headers = { Accept: 'text/event-stream' };
  if (position.after > 0) headers['Last-Event-ID'] = String(position.after);
  const response = await send('GET', jobPath(id, 'events'), { headers, signal });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    await response.body?.cancel();
    return poll(id, position, handlers, signal, received);
  }
  for await (const { id: sequence, event, data } of messages(response)) {
    received();
    handlers.connection(true);
    const value = JSON.parse(data);
    if (event === 'job') handlers.job(value);
    else if (event === 'progress') handlers.progress(value);
    else if (event === 'end') return value.reason;
    else if (sequence) {
      position.after = Number(sequence);
      handlers.event(value);
    }
  }
  return 'broken';
}

async function poll(id, position, handlers, signal, received) {
  const headers = position.version > 0 ? { 'If-None-Match': `"${position.version}"` } : {};
  for (;;) {
    const response = await send('GET', `${jobPath(id)}?wait=20`, { headers, signal });
    const job = response.status === 304 ? null : await response.json();
    await pollEvents(id, position, handlers, signal);
    received();
    handlers.connection(true);
    if (!job) continue;
    position.version = job.version;
    headers['If-None-Match'] = `"${job.version}"`;
    handlers.job(job);
    if (isEnded(job)) return 'ended';
    await pause(500, signal);
  }
}

async function pollEvents(id, position, handlers, signal) {
  for (;;) {
    const page = await getJSON(`${jobPath(id, 'events')}?limit=1000&after=${position.after}`, { signal });
    for (const event of page.data) handlers.event(event);
    position.after = page.data.at(-1)?.sequence ?? position.after;
    if (!page.has_more) return;
  }
}

const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
