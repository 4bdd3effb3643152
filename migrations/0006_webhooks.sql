-- Who is told when a job has ended, and what became of that. The secret is in no other table, so that nothing which shows jobs has it.

CREATE TABLE webhooks (
  job         TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  url         TEXT NOT NULL,
  secret      BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Written in the transaction that ends the job, so that none is lost.
CREATE TABLE deliveries (
  id          TEXT PRIMARY KEY,            -- the webhook-id of every try
  job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  authority   TEXT NOT NULL,               -- host and port: one that is slow doesn't hold up others
  event       TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  tries       INTEGER NOT NULL,
  due         TEXT NOT NULL,               -- of the next try, where there is one
  created_at  TEXT NOT NULL,
  body        TEXT NOT NULL
) STRICT;

CREATE INDEX deliveries_due ON deliveries (due) WHERE state = 'pending';
CREATE INDEX deliveries_of_job ON deliveries (job, id);

CREATE TABLE delivery_attempts (
  delivery    TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL,
  body        TEXT NOT NULL CHECK (json_valid(body)),
  PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;
