-- What a layer needed before, so that a later job starts there, and the fields that recovery and quality options add to stored jobs.

-- Only layers whose first try failed. A deleted job's experience stays.
CREATE TABLE damping_history (
  model         TEXT NOT NULL,             -- fingerprint of the model's files
  calibration   TEXT NOT NULL,             -- fingerprint of the data and how it is cut; empty for layer jobs
  layer         TEXT NOT NULL,
  damp_percent  REAL NOT NULL,             -- where the ladder started
  damping       REAL NOT NULL,             -- what worked
  precision     TEXT NOT NULL CHECK (precision IN ('float32', 'float64')),
  job           TEXT NOT NULL,
  at            TEXT NOT NULL,
  PRIMARY KEY (model, calibration, layer, damp_percent)
) STRICT, WITHOUT ROWID;

-- Jobs from before had none of the new steps.
UPDATE jobs SET body = json_set(
  body,
  '$.request.kind', 'model',
  '$.request.damping', json('{"start":"fixed"}'),
  '$.request.recovery', json('{"escalate_samples":[],"on_exhausted":"fail"}'),
  '$.request.quantization.mse', json('false'),
  '$.request.quantization.scale_refinement', json('false'),
  '$.request.quantization.error_compensation', 0
);
UPDATE jobs SET body = json_set(body, '$.report.degraded_layers', json('[]')) WHERE json_type(body, '$.report') = 'object';
UPDATE layers SET body = json_set(body, '$.degraded', json('false'));
UPDATE attempts SET body = json_set(
  body, '$.damping_origin',
  CASE
    WHEN damping = (SELECT json_extract(jobs.body, '$.request.quantization.damp_percent') FROM jobs WHERE jobs.id = attempts.job)
      THEN 'request'
    ELSE 'ladder'
  END
);
