/** What the page knows of a job: the job, its layers in order, the attempts of each, and what happened. */
export class JobState {
  layers = [];
  attempts = new Map();
  events = [];
  isConnected = true;
  isDeleted = false;
  /** When the job's progress was heard of. */
  heardAt = Date.now();

  #positions = new Map();

  constructor(job) {
    this.job = job;
  }

  setLayers(layers) {
    this.layers = layers;
    this.#positions = new Map(layers.map((layer, index) => [layer.name, index]));
  }

  addAttempts(attempts) {
    for (const attempt of attempts) this.#add(attempt);
  }

  setJob(job) {
    // A stream and an answer may cross.
    if (job.version < this.job.version) return;
    this.job = job;
    this.heardAt = Date.now();
  }

  setProgress({ version, status, stage, progress }) {
    this.setJob({ ...this.job, version, status, stage, progress });
  }

  /** Events come in order; those that came before are known. */
  addEvent(event) {
    if (event.sequence <= (this.events.at(-1)?.sequence ?? 0)) return;
    this.events.push(event);
    if (event.kind === 'attempt') this.#add(event.data);
    if (event.kind === 'layer') this.#replace(event.data);
  }

  attemptsOf(layer) {
    return this.attempts.get(layer) ?? [];
  }

  /** The layer at work, by what the job says. */
  get runningLayer() {
    return this.job.status === 'running' && this.job.stage === 'quantizing' ? this.job.progress?.layer : undefined;
  }

  #add(attempt) {
    const list = this.attempts.get(attempt.layer) ?? [];
    if (list.some((known) => known.job_attempt === attempt.job_attempt && known.number === attempt.number)) return;
    // A new array, so that a changed history is another value.
    this.attempts.set(attempt.layer, [...list, attempt].sort((a, b) => a.job_attempt - b.job_attempt || a.number - b.number));
  }

  #replace(layer) {
    const index = this.#positions.get(layer.name);
    if (index !== undefined) this.layers[index] = layer;
  }
}
