// What attempts come to: names, letters for marks, and words for people.

export const causes = {
  succeeded: { letter: '✓', text: 'succeeded', meaning: 'the Hessian was factored' },
  non_finite_input: { letter: 'N', text: 'non-finite input', meaning: 'activations were NaN or infinite' },
  starved: { letter: 'S', text: 'starved', meaning: 'fewer than two tokens a column' },
  rank_deficient: { letter: 'R', text: 'rank deficient', meaning: 'columns depend on one another' },
  rounding: { letter: 'F', text: 'rounding', meaning: 'float32 was too coarse' },
  incurable: { letter: 'X', text: 'incurable', meaning: 'no damping helps' },
};

/** The key of an attempt's colour. */
export const outcomeOf = (attempt) => (attempt.outcome === 'succeeded' ? 'succeeded' : (attempt.cause ?? 'incurable'));

export const causeText = (cause) => causes[cause]?.text ?? cause?.replaceAll('_', ' ') ?? '–';

/** Attempts in one sentence. */
export function summary(attempts) {
  if (attempts.length === 0) return 'no attempt yet';
  const failed = attempts.filter((attempt) => attempt.outcome !== 'succeeded');
  const kinds = [...new Set(failed.map((attempt) => causeText(attempt.cause)))].join(', ');
  const last = attempts.at(-1);
  const end = last.outcome === 'succeeded' ? `succeeded with damping ${Number(last.damping.toPrecision(3))}` : 'none succeeded';
  const tries = `${attempts.length} ${attempts.length === 1 ? 'attempt' : 'attempts'}`;
  return failed.length > 0 ? `${tries}: ${failed.length} failed (${kinds}), ${end}` : `${tries}: ${end}`;
}
