-- What a server that many use needs: when each run has last changed, tasks that are held,
-- access tokens.
--
-- Definitions, which do not change, leave the table of what changes with every step: each
-- change copies its row.

ALTER TABLE runs ADD COLUMN updated_at double precision NOT NULL DEFAULT 0;
UPDATE runs SET updated_at = coalesce(
    (SELECT at FROM history WHERE run = runs.number ORDER BY history.number DESC LIMIT 1),
    created_at
);
CREATE INDEX runs_by_update ON runs (updated_at);

-- Few nodes are barriers, and pictures leave them out.
CREATE INDEX nodes_that_are_barriers ON nodes (run, position) WHERE barrier;

ALTER TABLE nodes ADD COLUMN held boolean NOT NULL DEFAULT false;

CREATE TABLE definitions (
    run bigint NOT NULL,
    position integer NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (run, position),
    FOREIGN KEY (run, position) REFERENCES nodes (run, position)
);
INSERT INTO definitions SELECT run, position, definition FROM nodes;
ALTER TABLE nodes DROP COLUMN definition;

-- A token itself is nowhere: `digest` is the SHA-256 of its secret part, in hexadecimal.
CREATE TABLE tokens (
    id text PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    digest text NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision
);

-- Filled anew: there are new steps, and what one turn can do is said more narrowly.
DELETE FROM ways;
