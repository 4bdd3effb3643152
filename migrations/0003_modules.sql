-- The fields that choices for single modules add to stored jobs; those from before had none.
UPDATE jobs SET body = json_set(
  body,
  '$.request.quantization.lm_head', json('false'),
  '$.request.quantization.dynamic', json('[]')
);
