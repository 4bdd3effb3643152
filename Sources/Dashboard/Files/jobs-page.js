import { announce } from './announcer.js';
import { getJSON } from './api.js';
import { h } from './dom.js';
import { isEnded } from './job-feed.js';
import { JobRows } from './job-rows.js';
import { problemBox } from './notices.js';
import { go } from './router.js';

const statuses = ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'];
const pageSize = 25;
/** Milliseconds between two looks at the list while jobs are under way, and while none is. */
const [busyInterval, idleInterval] = [2000, 10_000];

/** The jobs, newest first, with a filter; kept up to date. */
export async function jobsPage({ query, signal }) {
  const [status, after] = [query.get('status') ?? '', query.get('after')];
  const parameters = new URLSearchParams({ limit: pageSize, ...(status && { status }), ...(after && { after }) });
  const load = () => getJSON(`v1/jobs?${parameters}`, { signal });
  const rows = new JobRows();
  const lost = h('div', { hidden: true });
  let list = await load();

  const place = (more) => `#/jobs?${new URLSearchParams({ ...(status && { status }), ...more })}`;
  const choose = (event) => go(event.target.value ? `#/jobs?status=${event.target.value}` : '#/jobs');
  const filter = h('select', { id: 'status-filter', onchange: choose },
    h('option', { value: '' }, 'all'), statuses.map((name) => h('option', { value: name }, name)));
  filter.value = status;
  const pages = h('nav', { class: 'actions', 'aria-label': 'Pages of the list' });
  const empty = h('p', {});
  const draw = () => {
    rows.show(list.data);
    rows.table.hidden = list.data.length === 0;
    empty.hidden = list.data.length > 0;
    const invitation = ['No job yet. ', h('a', { href: '#/new' }, 'Submit the first one'), '.'];
    empty.replaceChildren(...(status || after ? ['No job here.'] : invitation));
    const key = `${list.has_more}${list.last_id}`;
    if (pages.dataset.key === key) return;
    pages.dataset.key = key;
    const links = [after && h('a', { class: 'button', href: place({}) }, 'Newest'),
      list.has_more && h('a', { class: 'button', href: place({ after: list.last_id }) }, 'Older')];
    pages.replaceChildren(...links.filter(Boolean));
    pages.hidden = !pages.firstChild;
  };
  draw();

  const refresh = async () => {
    try {
      const before = new Map(list.data.map((job) => [job.id, job.status]));
      list = await load();
      lost.hidden = true;
      draw();
      for (const job of list.data) {
        if (before.has(job.id) && before.get(job.id) !== job.status) announce(`The job of ${job.request.model} is ${job.status}.`);
      }
    } catch (problem) {
      if (signal.aborted || problem.status === 401) return;
      if (lost.hidden) lost.replaceChildren(problemBox(problem));
      lost.hidden = false;
    }
    schedule();
  };
  let timer;
  const schedule = () => {
    const isBusy = list.data.some((job) => !isEnded(job));
    timer = setTimeout(() => (document.hidden ? schedule() : refresh()), isBusy ? busyInterval : idleInterval);
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  schedule();

  return {
    title: 'Jobs',
    element: h('div', {},
      h('div', { class: 'heading' }, h('h1', {}, 'Jobs'), h('a', { class: 'button primary', href: '#/new' }, 'New job')),
      lost, h('section', { class: 'panel', 'aria-label': 'List of jobs' },
        h('div', { class: 'toolbar' }, h('label', { for: 'status-filter' }, 'Status ', filter)),
        h('div', { class: 'scroll' }, rows.table), empty, pages)),
  };
}
