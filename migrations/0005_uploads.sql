-- Files that clients uploaded: of models, by model and path, and datasets, whose path is empty.
CREATE TABLE uploaded_files (
  kind        TEXT NOT NULL CHECK (kind IN ('model', 'dataset')),
  name        TEXT NOT NULL,
  path        TEXT NOT NULL,
  size        INTEGER NOT NULL,
  sha256      TEXT NOT NULL,
  rows        INTEGER,                     -- of a dataset
  at          TEXT NOT NULL,
  PRIMARY KEY (kind, name, path)
) STRICT, WITHOUT ROWID;

-- Uploads that go on, or were cut off and may go on; no job uses what they go to.
CREATE TABLE uploads (
  id          TEXT PRIMARY KEY,            -- name of the file with the bytes that came
  kind        TEXT NOT NULL CHECK (kind IN ('model', 'dataset')),
  name        TEXT NOT NULL,
  path        TEXT NOT NULL,
  total       INTEGER,                     -- bytes; NULL: not known
  sha256      TEXT,                        -- as the client promises it
  received    INTEGER NOT NULL,            -- bytes that are on the disk for certain
  at          TEXT NOT NULL,               -- when the last bytes came
  publication TEXT CHECK (publication IS NULL OR json_valid(publication)),  -- size, sha256 and rows once all is there, before the file gets its name
  UNIQUE (kind, name, path)
) STRICT, WITHOUT ROWID;

-- What was deleted, as long as its files may be there; a path of a model's file, or empty for all of it.
CREATE TABLE upload_deletions (
  kind        TEXT NOT NULL,
  name        TEXT NOT NULL,
  path        TEXT NOT NULL,
  PRIMARY KEY (kind, name, path)
) STRICT, WITHOUT ROWID;
