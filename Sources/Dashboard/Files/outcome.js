import { causeText } from './causes.js';
import { h, redraw } from './dom.js';
import { bytes, count, duration, plural, significant, time } from './format.js';
import { panel } from './notices.js';
import { slurmText } from './slurm.js';

/** What a job came to: error, warnings, report. */
export class Outcome {
  #error = h('div');
  #warnings = h('div');
  #report = h('div');

  element = h('div', {}, this.#error, this.#warnings, this.#report);

  /** @param openLayer Called with the name of a layer that the user wants to see. */
  constructor(state, openLayer) {
    Object.assign(this, { state, openLayer });
  }

  update() {
    const { error, warnings, interruptions, damaged_files: damaged, report, estimate, status, slurm } = this.state.job;
    redraw(this.#error, error, () => error && failure(error, this.openLayer));
    redraw(this.#warnings, [warnings, interruptions, damaged], () => remarks(warnings ?? [], interruptions ?? [], damaged ?? []));
    redraw(this.#report, [report, estimate, status, slurm], () => (report ? reportPanel(report, slurm) : estimate && estimatePanel(estimate)));
  }
}

function failure(error, openLayer) {
  const button = h('button', { type: 'button', class: 'small', onclick: () => openLayer(error.layer) }, 'Show its attempts');
  const facts = [['Layer', error.layer && [h('code', {}, error.layer), ' ', button]], ['Cause', error.cause && causeText(error.cause)],
    ['What was wrong', error.detail], ['Tried', error.tried], ['What to do', error.advice], ['Code', error.code]];
  return panel('error', 'The job failed', list(facts), 'notice bad');
}

function remarks(warnings, interruptions, damaged) {
  const items = [
    ...damaged.map((file) => `${file} of the checkpoint is damaged and isn’t served; submit the job again`),
    ...interruptions.map(({ found_at: at, layers_done: done, reason }) =>
      `${reason ? `an attempt was lost (${reason})` : 'the daemon ended while the job ran'}, noticed on ${time(at)}, after ${plural(done, 'layer')}`),
    ...warnings,
  ];
  if (items.length === 0) return null;
  const list = (items) => h('ul', {}, items.map((item) => h('li', {}, item)));
  const rest = items.length > 6 && h('details', {}, h('summary', {}, `${items.length - 5} more`), list(items.slice(5)));
  return panel('warnings', plural(items.length, 'warning'), rest ? [list(items.slice(0, 5)), rest] : list(items), 'notice warn');
}

function reportPanel(report, slurm) {
  const figures = [
    report.perplexity_before !== undefined && ['perplexity before', fourDigits(report.perplexity_before)],
    report.perplexity_after !== undefined && ['perplexity after', fourDigits(report.perplexity_after)],
    report.perplexity_before !== undefined && report.perplexity_after !== undefined && ['change', change(report)],
    ['layers', count(report.layers)], ['mean relative loss', significant(report.mean_relative_loss)], ['took', duration(report.seconds)],
  ].filter(Boolean);
  const facts = [['Calibration tokens', report.calibration_tokens && count(report.calibration_tokens)],
    ['Evaluation tokens', report.evaluation_tokens && count(report.evaluation_tokens)], ['Ran on', slurmText(slurm)]];
  const degraded = (report.degraded_layers ?? []).map(({ layer, method, cause }) =>
    h('li', {}, h('code', {}, layer), `: ${methodText(method)}, since ${causeText(cause)}`));
  return panel('report', 'Report', [
    h('dl', { class: 'figures' }, figures.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))), list(facts),
    degraded.length > 0 && [h('h3', {}, plural(degraded.length, 'degraded layer')), h('ul', {}, degraded)],
  ]);
}

const estimatePanel = ({ memory_bytes: memory, disk_bytes: disk, artifact_bytes: artifact }) =>
  panel('estimate', 'Estimate',
    list([['Memory, at most', bytes(memory)], ['Disk, at most', bytes(disk)], ['Checkpoint', bytes(artifact)]]));

const list = (facts) => {
  const known = facts.filter(([, value]) => value !== undefined && value !== null && value !== 0);
  return known.length > 0 && h('dl', { class: 'facts' }, known.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
};

const fourDigits = (value) => value.toFixed(4);

function change({ perplexity_before: before, perplexity_after: after }) {
  const size = Math.abs((after / before - 1) * 100).toFixed(2);
  return `${after >= before ? '+' : '−'}${size} %`;
}

const methodText = (method) => ({ rtn: 'rounded to nearest', keep: 'left in 16 bits' })[method] ?? method;
