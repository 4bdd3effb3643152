import { h, redraw, setText } from './dom.js';
import { duration, percent, secondsBetween, significant, time } from './format.js';
import { badge, degradedBadge } from './notices.js';

/** The table of jobs. Rows are kept and changed in place, so that the focus stays where it is. */
export class JobRows {
  #rows = new Map();
  #body = h('tbody');

  table = h('table', { class: 'jobs' }, h('caption', { class: 'unseen' }, 'Jobs, the newest first'),
    h('thead', {}, h('tr', {}, ['Model', 'Status', 'Progress'].map((name) => h('th', { scope: 'col' }, name)),
      ['Quantization', 'Perplexity'].map((name) => h('th', { scope: 'col', class: 'minor' }, name)),
      h('th', { scope: 'col', class: 'minor' }, 'Submitted'), h('th', { scope: 'col', class: 'number minor' }, 'Took'))),
    this.#body);

  show(jobs) {
    const wanted = jobs.map((job) => this.#row(job));
    const isSame = wanted.length === this.#body.children.length && wanted.every((row, index) => row === this.#body.children[index]);
    if (!isSame) this.#body.replaceChildren(...wanted);
    const ids = new Set(jobs.map((job) => job.id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
  }

  #row(job) {
    let row = this.#rows.get(job.id);
    if (!row) {
      const submitted = h('time', { datetime: job.created_at }, time(job.created_at));
      row = h('tr', { 'data-job': job.id },
        h('th', { scope: 'row' }, h('a', { href: `#/jobs/${job.id}` }, nameOf(job.request.model))), h('td'), h('td', { class: 'bar' }),
        h('td', { class: 'minor nowrap' }, quantization(job.request)), h('td', { class: 'minor nowrap' }),
        h('td', { class: 'minor nowrap' }, submitted), h('td', { class: 'number minor' }));
      this.#rows.set(job.id, row);
    }
    const [, status, progress, , perplexity, , took] = row.children;
    redraw(status, [job.status, job.degraded], () => [badge(job.status), job.degraded && ' ', job.degraded && degradedBadge()]);
    redraw(progress, [job.status, job.progress], () => progressOf(job));
    setText(perplexity, perplexityOf(job.report));
    setText(took, job.started_at ? duration(secondsBetween(job.started_at, job.finished_at)) : '–');
    status.hidden = progress.hidden = false;
    return row;
  }
}

/** A model's name, or that of its repository on a hub. */
export const nameOf = (model) => (typeof model === 'string' ? model : (model?.hub ?? '?'));

export function quantization({ kind, quantization }) {
  const group = quantization.group_size < 0 ? 'whole rows' : `group ${quantization.group_size}`;
  return `${kind === 'layers' ? 'layers, ' : ''}${quantization.method}, ${quantization.bits} bits, ${group}`;
}

function perplexityOf(report) {
  if (report?.perplexity_before === undefined || report.perplexity_after === undefined) return '–';
  return `${significant(report.perplexity_before)} → ${significant(report.perplexity_after)}`;
}

function progressOf({ status, progress }) {
  if (status === 'queued') return '–';
  if (!progress) return status === 'running' ? 'begins' : '–';
  if (status === 'succeeded') return `${progress.total} layers`;
  const part = h('progress', { max: 1, value: progress.fraction, 'aria-label': 'Part of the work that is done' });
  return status === 'running' ? [part, percent(progress.fraction)] : `${progress.done} of ${progress.total} layers`;
}
