-- What was given to a cluster's scheduler: a row for each attempt at a job, there before the scheduler is asked, since that may lose it.
CREATE TABLE submissions (
  job           TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt       INTEGER NOT NULL,          -- which start of the job it is
  name          TEXT NOT NULL UNIQUE,      -- of the scheduler's job
  state         TEXT NOT NULL CHECK (state IN ('prepared', 'submitted', 'fenced')),
  scheduler_id  INTEGER,                   -- the scheduler's number; it may give the same to another job after it crashed
  submitted_at  TEXT,
  consumed      INTEGER NOT NULL DEFAULT 0,  -- bytes of the attempt's journal that are in the database
  PRIMARY KEY (job, attempt)
) STRICT, WITHOUT ROWID;

-- Tells this database's jobs from those of others in one cluster.
CREATE TABLE instance (id TEXT PRIMARY KEY) STRICT;
INSERT INTO instance VALUES (lower(hex(randomblob(5))));
