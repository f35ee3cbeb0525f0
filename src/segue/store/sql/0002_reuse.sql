-- A run may continue an earlier one: which, with what it was read, and which of its tasks
-- were taken over. And limits that can change while it runs.
--
-- Only columns are added, and none to a table that is written without naming its columns:
-- an engine of the release before, running while this is done, goes on undisturbed.

ALTER TABLE runs ADD COLUMN reading TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN continues TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN restart_limit INTEGER CHECK (restart_limit >= 0);
ALTER TABLE runs ADD COLUMN slots INTEGER NOT NULL DEFAULT 0 CHECK (slots >= 0);
ALTER TABLE nodes ADD COLUMN reused_from TEXT NOT NULL DEFAULT '';

CREATE INDEX runs_by_workspace ON runs (workspace);
