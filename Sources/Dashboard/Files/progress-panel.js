import { announce } from './announcer.js';
import { h, redraw, setText } from './dom.js';
import { duration, percent, plural, secondsBetween } from './format.js';
import { isEnded } from './job-feed.js';
import { panel } from './notices.js';
import { slurmText } from './slurm.js';

const stages = {
  waiting: 'waiting for a node', preparing: 'reading the model and the data', quantizing: 'quantizing', evaluating: 'measuring perplexity',
  publishing: 'writing the checkpoint',
};

/** How far a job is that hasn't ended. */
export class ProgressPanel {
  #bar = h('progress', { max: 1, 'aria-label': 'Part of the work that is done' });
  #figures = h('dl', { class: 'figures' });
  #doing = h('p', { class: 'muted' });
  #slurm = h('p', { class: 'muted' });
  #toldTenth = 0;

  element = panel('progress', 'Progress', [this.#figures, this.#bar, this.#doing, this.#slurm]);

  constructor(state, signal) {
    this.state = state;
    // Between two messages time goes on.
    const clock = setInterval(() => this.update(), 1000);
    signal.addEventListener('abort', () => clearInterval(clock));
  }

  update() {
    const { job } = this.state;
    this.element.hidden = isEnded(job);
    if (this.element.hidden) return;
    const { progress } = job;
    const fraction = progress?.fraction ?? 0;
    this.#bar.value = fraction;
    this.#bar.hidden = job.status === 'queued';
    const values = this.#values(job, fraction);
    redraw(this.#figures, values, () => values.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
    setText(this.#doing, doing(job, this.state.runningLayer));
    const slurm = slurmText(job.slurm);
    this.#slurm.hidden = slurm === undefined;
    setText(this.#slurm, slurm ?? '');
    this.#tell(fraction);
  }

  #values(job, fraction) {
    if (job.status === 'queued') return [['waits for', duration(Math.round(secondsBetween(job.created_at)))]];
    const { progress } = job;
    const eta = progress?.eta_seconds === undefined ? undefined : progress.eta_seconds - (Date.now() - this.state.heardAt) / 1000;
    return [['done', percent(fraction)], ['left, estimated', eta === undefined ? '–' : `about ${duration(Math.max(1, Math.round(eta)))}`],
      ['layers', progress ? `${progress.done} of ${progress.total}` : '–'],
      ['running for', duration(Math.round(secondsBetween(job.started_at)))]];
  }

  /** Every tenth, not every layer. */
  #tell(fraction) {
    const tenth = Math.floor(fraction * 10);
    if (tenth > this.#toldTenth && tenth < 10) announce(`${tenth * 10} per cent done.`);
    this.#toldTenth = tenth;
  }
}

function doing(job, layer) {
  if (isWaitingForSlurm(job)) return 'Is submitted when Slurm answers again.';
  if (job.status === 'queued') return job.attempt > 0 ? `Started ${plural(job.attempt, 'time')} before.` : 'Other jobs are done first.';
  if (job.status === 'cancelling') return 'Stops after the step at hand.';
  const stage = stages[job.stage] ?? job.stage ?? 'beginning';
  return layer ? `${stage}: ${layer}` : stage;
}

const isWaitingForSlurm = ({ status, slurm }) => status === 'queued' && slurm?.unreachable;
