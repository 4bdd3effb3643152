import { announce } from './announcer.js';
import { jobPath, send } from './api.js';
import { confirm } from './dialogs.js';
import { h, redraw } from './dom.js';
import { field } from './fields.js';
import { isEnded } from './job-feed.js';
import { exhausted } from './request-fields.js';
import { go } from './router.js';

/** What can be done with a job, each asked about first. */
export class JobActions {
  element = h('div', { class: 'actions' });

  constructor(state, reload) {
    this.state = state;
    this.reload = reload;
  }

  update() {
    const { job, isDeleted } = this.state;
    const hadFocus = this.element.contains(document.activeElement);
    redraw(this.element, [job.status, isDeleted], () => {
      if (isDeleted) return null;
      return [
        ['queued', 'running'].includes(job.status) && this.#button('Cancel', () => this.#cancel()),
        ['failed', 'cancelled'].includes(job.status) && this.#button('Retry', () => this.#retry()),
        h('a', { class: 'button', href: `#/new?from=${job.id}` }, 'Submit again'),
        isEnded(job) && this.#button('Delete', () => this.#delete(), 'danger'),
      ];
    });
    // The button is gone; reading goes on at the top.
    if (hadFocus && !this.element.contains(document.activeElement)) document.querySelector('h1').focus();
  }

  #button(text, onclick, kind = '') {
    return h('button', { type: 'button', class: kind, onclick }, `${text}…`);
  }

  #cancel() {
    confirm({
      title: 'Cancel this job?', text: 'Blocks that are finished are kept: a retry goes on from them.',
      verb: 'Cancel the job', isDangerous: true,
      act: async () => this.#changed(await send('POST', jobPath(this.state.job.id, 'cancel'))),
    });
  }

  #retry() {
    const { request, error } = this.state.job;
    const policy = field({
      label: 'A layer that nothing cures', value: request.recovery?.on_exhausted ?? 'fail',
      options: exhausted,
    });
    const damping = field({
      label: 'First damping', value: String(request.quantization.damp_percent), numeric: true,
      hint: 'Fraction of the Hessian’s mean diagonal.',
    });
    confirm({
      title: 'Retry this job?', text: 'It goes on from its last finished block.', verb: 'Retry the job', fields: [policy, damping],
      act: async () => {
        damping.report(null);
        const number = Number(damping.input.value);
        const body = {
          recovery: { on_exhausted: policy.input.value },
          quantization: { damp_percent: damping.input.value.trim() === '' || Number.isNaN(number) ? damping.input.value : number },
        };
        await this.#changed(await send('POST', jobPath(this.state.job.id, 'retry'), { body }));
      },
    });
    if (error?.code === 'not_positive_definite') policy.input.focus();
  }

  #delete() {
    confirm({
      title: 'Delete this job?', text: 'Its checkpoint, layers and attempts go too. This can’t be undone.',
      verb: 'Delete the job', isDangerous: true,
      act: async () => {
        await send('DELETE', jobPath(this.state.job.id));
        announce('The job is deleted.');
        go('#/jobs');
      },
    });
  }

  async #changed(response) {
    this.state.setJob(await response.json());
    announce(`The job is ${this.state.job.status}.`);
    this.reload();
  }
}
