-- How often the daemon ended while a job ran, and files of artifacts whose bytes are no longer those that were published.
UPDATE jobs SET body = json_set(body, '$.interruptions', json('[]'), '$.damaged_files', json('[]'));
