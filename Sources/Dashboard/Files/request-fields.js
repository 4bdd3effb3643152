// The fields of a request: where each is in the body, what it is called, what it means. What is left empty isn't sent, and the server's
// default holds; what is sent is checked by the server alone.

const flag = (standard) => [['', `default (${standard})`], ['true', 'yes'], ['false', 'no']];

const choice = (standard, ...others) => [['', `default (${standard})`], ...[standard, ...others].map((name) => [name, name])];

/** What becomes of a layer that nothing cures. */
export const exhausted = [['fail', 'fails the job'], ['rtn', 'is rounded to nearest'], ['keep', 'stays in 16 bits']];

/** Sources of weights: what `kind` and `model` become. */
export const sources = {
  model: 'A model on the server',
  hub: 'A model of a hub',
  layers: 'A file of layers',
};

export const main = [
  {
    pointer: '/model', sources: ['model'], label: 'Model', suggest: 'models',
    hint: 'Name of a folder below models.roots, or of an uploaded model.',
  },
  {
    pointer: '/model', sources: ['layers'], label: 'File of layers',
    hint: 'Name of a .safetensors file below models.roots, with NAME.weight and NAME.hessian.',
  },
  { pointer: '/model/hub', sources: ['hub'], label: 'Repository', hint: 'Such as Qwen/Qwen2-0.5B, at the configured hub.endpoint.' },
  { pointer: '/model/revision', sources: ['hub'], label: 'Revision', hint: 'Branch, tag or commit; empty: main.' },
  { pointer: '/quantization/bits', label: 'Bits', type: 'integer', options: choice('4', '2', '3', '8') },
  {
    pointer: '/quantization/group_size', label: 'Group size', type: 'integer',
    hint: 'Input channels that share a scale; empty: 128; -1: all.',
  },
  {
    pointer: '/calibration/dataset', sources: ['model', 'hub'], label: 'Calibration data', suggest: 'datasets',
    hint: 'Name of a .jsonl below datasets.roots, without its ending.',
  },
  {
    pointer: '/calibration/samples', sources: ['model', 'hub'], label: 'Calibration sequences', type: 'integer',
    hint: 'Empty: 128, or as many as there are.',
  },
  {
    pointer: '/calibration/sequence_length', sources: ['model', 'hub'], label: 'Sequence length', type: 'integer',
    hint: 'Tokens; empty: 2048, or the model’s limit.',
  },
  {
    pointer: '/evaluation/dataset', sources: ['model', 'hub'], label: 'Evaluation data', suggest: 'datasets',
    hint: 'Perplexity is measured on it before and after; empty: it isn’t.',
  },
];

export const more = [
  {
    legend: 'Quantization',
    fields: [
      {
        pointer: '/quantization/method', label: 'Method', options: choice('gptq', 'rtn'),
        hint: 'rtn rounds to nearest, without calibration.',
      },
      { pointer: '/quantization/format', label: 'Format', options: choice('gptq', 'gptq_v2') },
      { pointer: '/quantization/sym', label: 'Symmetric grid', type: 'flag', options: flag('yes') },
      {
        pointer: '/quantization/desc_act', label: 'Activation order', type: 'flag', options: flag('no'),
        hint: 'desc_act: needs g_idx at inference.',
      },
      {
        pointer: '/quantization/act_group_aware', label: 'Group-aware order', type: 'flag',
        options: [['', 'default (unless desc_act)'], ['true', 'yes'], ['false', 'no']], hint: 'act_group_aware: free at inference.',
      },
      { pointer: '/quantization/mse', label: 'Search scales', type: 'flag', options: flag('yes') },
      { pointer: '/quantization/scale_refinement', label: 'Refine scales', type: 'flag', options: flag('yes') },
      {
        pointer: '/quantization/error_compensation', label: 'Error compensation', type: 'number',
        hint: '0 to 1; empty: 0.5, for layers 0.',
      },
      { pointer: '/quantization/lm_head', label: 'Quantize the head', type: 'flag', options: flag('no') },
    ],
  },
  {
    legend: 'Damping and recovery',
    fields: [
      {
        pointer: '/quantization/damp_percent', label: 'First damping', type: 'number',
        hint: 'Fraction of the Hessian’s mean diagonal; empty: 0.01.',
      },
      { pointer: '/damping/start', label: 'Damping starts',
        options: [['', 'default (history)'], ['history', 'at what worked before'], ['fixed', 'at the first damping']] },
      {
        pointer: '/recovery/escalate_samples', label: 'Escalate samples', type: 'integers',
        hint: 'Rising, with commas, or none; empty: 256, 512.',
      },
      { pointer: '/recovery/on_exhausted', label: 'A layer that nothing cures',
        options: [['', 'default (fails the job)'], ...exhausted] },
      { pointer: '/moe/starved', label: 'Starved experts', options: choice('all_tokens', 'rtn', 'keep') },
    ],
  },
  {
    legend: 'Data and order',
    fields: [
      { pointer: '/calibration/seed', sources: ['model', 'hub'], label: 'Seed', type: 'integer', hint: 'Empty: 0.' },
      { pointer: '/evaluation/samples', sources: ['model', 'hub'], label: 'Evaluation sequences', type: 'integer', hint: 'Empty: 24.' },
      {
        pointer: '/evaluation/sequence_length', sources: ['model', 'hub'], label: 'Evaluation length', type: 'integer',
        hint: 'Tokens of a sequence; empty: 512.',
      },
      { pointer: '/priority', label: 'Priority', type: 'integer', hint: 'Higher runs first; empty: 0.' },
    ],
  },
  {
    legend: 'Webhook',
    fields: [
      { pointer: '/webhook/url', label: 'Address', hint: 'Told of the job; its host is one that the server allows.' },
      { pointer: '/webhook/secret', label: 'Secret', isSecret: true, hint: 'Signs what is sent: whsec_ and base64.' },
    ],
  },
  {
    legend: 'Rules for some modules',
    fields: [{ pointer: '/quantization/dynamic', label: 'Rules', type: 'json', rows: 4,
      hint: 'dynamic: JSON, such as {"+:.*down_proj": {"bits": 8}, "-:.*layers\\.0\\.": {}}.' }],
  },
];
