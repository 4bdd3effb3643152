-- How often the daemon ended while a job ran, and files of artifacts whose bytes are no longer those that were published.
UPDATE jobs SET body = json_set(body, '$.interruptions', json('[]'), '$.damaged_files', json('[]'));

-- Jobs that were deleted, as long as their files may be there.
CREATE TABLE deletions (job TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
