-- Sums over all jobs that there ever were, deleted ones included, for GET /metrics. They are added to in the transactions that they count.
CREATE TABLE totals (
  name   TEXT NOT NULL,                    -- what is counted
  labels TEXT NOT NULL CHECK (json_valid(labels)),  -- array of strings; of a histogram, the last is a bucket's upper bound, or "sum"
  value  REAL NOT NULL,
  PRIMARY KEY (name, labels)
) STRICT, WITHOUT ROWID;
