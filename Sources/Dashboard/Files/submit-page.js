import { announce } from './announcer.js';
import { getAll, getJSON, jobPath, send } from './api.js';
import { ErrorSummary } from './error-summary.js';
import { h } from './dom.js';
import { Problem } from './problem.js';
import { RequestForm } from './request-form.js';
import { go } from './router.js';

/** The form for a new job, perhaps with the values of an earlier one. */
export async function submitPage({ query, signal }) {
  const earlier = query.get('from') ? (await getJSON(jobPath(query.get('from')), { signal })).request : undefined;
  const form = new RequestForm(earlier);
  const errors = new ErrorSummary();
  const button = h('button', { class: 'primary', type: 'submit' }, 'Submit');
  let attempt = { body: '', key: '' };

  const submit = async (event) => {
    event.preventDefault();
    errors.clear();
    form.clearErrors();
    button.disabled = true;
    try {
      const body = form.request();
      // The same request sent again, since an answer was lost, makes no second job.
      if (JSON.stringify(body) !== attempt.body) attempt = { body: JSON.stringify(body), key: randomKey() };
      const response = await send('POST', 'v1/jobs', { body, headers: { 'Idempotency-Key': attempt.key }, signal });
      const job = await response.json();
      announce('The job is submitted.');
      go(`#/jobs/${job.id}`);
    } catch (problem) {
      if (signal.aborted) return;
      if (problem instanceof Problem && problem.status > 0) attempt.body = '';
      errors.show(problem, form.report(problem.errors ?? []));
    } finally {
      button.disabled = false;
    }
  };

  offerNames(form, signal);
  return {
    title: 'New job',
    element: h('div', {}, h('h1', {}, 'New job'), errors.element,
      h('form', { onsubmit: submit, novalidate: true, 'aria-label': 'New job' }, form.element, h('div', { class: 'actions' }, button))),
  };
}

/** Offers the names of models and data that the server has; without such lists, the fields are plain. */
async function offerNames(form, signal) {
  for (const name of ['models', 'datasets']) {
    try {
      form.suggest(name, (await getAll(`v1/${name}`, 1000, signal)).map((entry) => entry.name));
    } catch {
      // Names can be typed.
    }
  }
}

const randomKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
