-- What a server that many use needs: when each run has last changed, tasks that are held,
-- access tokens, and runs that can be deleted without their numbers being given out again.
--
-- Definitions, which do not change, leave the table of what changes with every step: a page
-- of the disk then holds ten times as many tasks, for engines that write them and for windows
-- that count them. An engine of the release before must be stopped, and goes on as this one.

ALTER TABLE runs ADD COLUMN updated_at REAL NOT NULL DEFAULT 0;
UPDATE runs SET updated_at = coalesce(
    (SELECT at FROM history WHERE run = runs.number ORDER BY history.number DESC LIMIT 1),
    created_at
);
CREATE INDEX runs_by_update ON runs (updated_at);

-- Few nodes are barriers, and pictures leave them out.
CREATE INDEX nodes_that_are_barriers ON nodes (run, position) WHERE barrier = 1;

ALTER TABLE nodes ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1));

CREATE TABLE definitions (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (run, position),
    FOREIGN KEY (run, position) REFERENCES nodes (run, position)
) WITHOUT ROWID;
INSERT INTO definitions SELECT run, position, definition FROM nodes;
ALTER TABLE nodes DROP COLUMN definition;

-- The highest number that a deleted run has had.
CREATE TABLE numbers (deleted INTEGER NOT NULL);
INSERT INTO numbers VALUES (0);

-- A token itself is nowhere: `digest` is the SHA-256 of its secret part, in hexadecimal.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    digest TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL
) WITHOUT ROWID;

-- Filled anew: there are new steps, and what one turn can do is said more narrowly.
DELETE FROM ways;
