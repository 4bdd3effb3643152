import { alertUser, announce } from './announcer.js';
import { getAll, getJSON, jobPath } from './api.js';
import { h, redraw } from './dom.js';
import { Downloads } from './downloads.js';
import { time } from './format.js';
import { History } from './history.js';
import { JobActions } from './job-actions.js';
import { followJob, isEnded } from './job-feed.js';
import { nameOf } from './job-rows.js';
import { JobState } from './job-state.js';
import { LayerPanel } from './layer-panel.js';
import { badge, degradedBadge } from './notices.js';
import { Outcome } from './outcome.js';
import { ProgressPanel } from './progress-panel.js';
import { RequestPanel } from './request-panel.js';

/** More layers or attempts than that aren't drawn. */
const limit = 20_000;

/** One job, live until it ends. */
export async function jobPage({ argument: id, signal }) {
  const state = new JobState(await getJSON(jobPath(id), { signal }));
  const title = nameOf(state.job.request.model);
  const status = h('span', { class: 'subtitle' });
  const lost = h('div', { class: 'notice warn', hidden: true }, 'The connection to the server is lost; it is tried again and again.');
  const gone = h('div', { class: 'notice warn', hidden: true }, 'The job is deleted. ', h('a', { href: '#/jobs' }, 'To the jobs'));
  const reload = () => load().then(follow).catch(() => {});
  const layers = new LayerPanel(state, signal);
  const parts = [new JobActions(state, reload), new ProgressPanel(state, signal), new Outcome(state, (name) => layers.open(name)),
    new Downloads(state, signal), layers, new History(state, signal), new RequestPanel(state)];
  const [actions, ...panels] = parts;

  const draw = () => {
    lost.hidden = state.isConnected || state.isDeleted;
    gone.hidden = !state.isDeleted;
    redraw(status, [state.job.status, state.job.degraded], () => [badge(state.job.status), state.job.degraded && degradedBadge(),
      h('span', { class: 'mono' }, state.job.id),
      h('span', {}, 'submitted ', h('time', { datetime: state.job.created_at }, time(state.job.created_at)))]);
    for (const part of parts) part.update();
  };
  const scheduleDraw = throttled(draw, signal);

  async function load() {
    const [job, layers, attempts] = await Promise.all([getJSON(jobPath(id), { signal }), getAll(jobPath(id, 'layers'), limit, signal),
      getAll(jobPath(id, 'attempts'), limit, signal)]);
    state.setJob(job);
    state.setLayers(layers);
    state.addAttempts(attempts);
    scheduleDraw();
  }

  let isFollowing = false;
  async function follow() {
    if (isFollowing || isEnded(state.job)) return;
    isFollowing = true;
    await followJob(id, {
      job(job) {
        const before = state.job.status;
        state.setJob(job);
        if (before !== state.job.status) tell(state.job);
        scheduleDraw();
      },
      progress: (change) => (state.setProgress(change), scheduleDraw()),
      event: (event) => (state.addEvent(event), scheduleDraw()),
      connection(isThere) {
        if (state.isConnected !== isThere) announce(isThere ? 'Connected again.' : 'The connection to the server is lost.');
        state.isConnected = isThere;
        scheduleDraw();
      },
      deleted: () => ((state.isDeleted = true), scheduleDraw()),
    }, signal);
    isFollowing = false;
    // The rows as they are stored, whatever the stream left out.
    if (!signal.aborted && !state.isDeleted) await load();
  }

  await load();
  draw();
  follow().catch(() => {});
  return {
    title,
    element: h('div', {}, h('div', { class: 'heading' }, h('div', {}, h('h1', {}, title), status), actions.element), lost, gone,
      panels.map((panel) => panel.element)),
  };
}

/** Calls for a function as often as they like; it runs with the next frame, and for at most a fifth of the time. */
function throttled(run, signal) {
  let isScheduled = false;
  let earliest = 0;
  return () => {
    if (isScheduled || signal.aborted) return;
    isScheduled = true;
    setTimeout(() => requestAnimationFrame(() => {
      isScheduled = false;
      if (signal.aborted) return;
      const start = performance.now();
      run();
      earliest = performance.now() + 4 * (performance.now() - start);
    }), Math.max(0, earliest - performance.now()));
  };
}

function tell(job) {
  if (job.status === 'failed') alertUser(`The job failed: ${job.error?.detail ?? ''}`);
  else announce(`The job is ${job.status}${job.degraded ? ', degraded' : ''}.`);
}
