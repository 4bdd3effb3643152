-- Jobs, their layers and attempts, and what happened to them.
-- Times are RFC 3339 in UTC with milliseconds, so that they sort as text. JSON columns hold what the API shows, encoded alike.

CREATE TABLE jobs (
  id          TEXT PRIMARY KEY,            -- ULID: sorts by creation
  status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'cancelling', 'cancelled', 'succeeded', 'failed')),
  priority    INTEGER NOT NULL,            -- higher runs first
  version     INTEGER NOT NULL,            -- grows with every change
  body        TEXT NOT NULL CHECK (json_valid(body))  -- the job as the API shows it
) STRICT;  -- with a rowid: SQLite tells nobody of changes in tables without, and clients wait for changes

CREATE INDEX jobs_in_queue ON jobs (priority DESC, id) WHERE status = 'queued';
CREATE INDEX jobs_by_status ON jobs (status, id);

CREATE TABLE layers (
  job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  name        TEXT NOT NULL,               -- module name in the checkpoint
  position    INTEGER NOT NULL,            -- order in which the job handles its layers
  body        TEXT NOT NULL CHECK (json_valid(body)),
  PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

-- Rows are only ever added: a layer's history survives restarts and retries.
CREATE TABLE attempts (
  sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
  job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  layer       TEXT NOT NULL,
  cause       TEXT,                        -- what was wrong with the Hessian; NULL where nothing was
  damping     REAL NOT NULL,               -- fraction of the mean diagonal
  precision   TEXT NOT NULL CHECK (precision IN ('float32', 'float64')),
  outcome     TEXT NOT NULL CHECK (outcome IN ('succeeded', 'failed')),
  body        TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX attempts_of_layer ON attempts (job, layer, sequence);

CREATE TABLE events (
  sequence    INTEGER PRIMARY KEY AUTOINCREMENT,  -- what clients resume from
  job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  kind        TEXT NOT NULL,
  at          TEXT NOT NULL,
  data        TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX events_of_job ON events (job, sequence);

-- What POST /v1/jobs answered under a client's Idempotency-Key.
CREATE TABLE idempotency_keys (
  key         TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,               -- SHA-256 of the request body
  job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  created_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
