-- The first schema. The database itself refuses a state or a step that is not
-- in the tables `states` and `steps`; these are filled from segue.model.states.

CREATE TABLE states (name TEXT PRIMARY KEY) WITHOUT ROWID;

-- Every single step that a task may take.
CREATE TABLE steps (
    old TEXT NOT NULL REFERENCES states,
    new TEXT NOT NULL REFERENCES states,
    PRIMARY KEY (old, new)
) WITHOUT ROWID;

-- Where several steps, written at once, may lead.
CREATE TABLE ways (
    old TEXT NOT NULL REFERENCES states,
    new TEXT NOT NULL REFERENCES states,
    PRIMARY KEY (old, new)
) WITHOUT ROWID;

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    dialect TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('running', 'paused', 'succeeded', 'failed', 'cancelled')),
    source TEXT NOT NULL,
    directory TEXT NOT NULL,
    workspace TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    verdict TEXT NOT NULL CHECK (verdict IN ('default', 'strict')),
    task_limit INTEGER NOT NULL CHECK (task_limit >= 0),
    pool TEXT NOT NULL,
    priority INTEGER NOT NULL,
    cancelling INTEGER NOT NULL CHECK (cancelling IN (0, 1)),
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    context TEXT NOT NULL,
    counts TEXT NOT NULL
);

-- Tasks and barriers, numbered from 0 within their run.
CREATE TABLE nodes (
    run INTEGER NOT NULL REFERENCES runs,
    position INTEGER NOT NULL CHECK (position >= 0),
    name TEXT NOT NULL,
    template TEXT NOT NULL,
    barrier INTEGER NOT NULL CHECK (barrier IN (0, 1)),
    definition TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' REFERENCES states,
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    cause TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    restarts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    cancelling INTEGER NOT NULL DEFAULT 0 CHECK (cancelling IN (0, 1)),
    refusals INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;

CREATE INDEX nodes_by_name ON nodes (run, name);

CREATE TRIGGER nodes_begin_waiting BEFORE INSERT ON nodes
WHEN NEW.state <> 'waiting'
BEGIN
    SELECT RAISE(ABORT, 'a task begins waiting');
END;

CREATE TRIGGER nodes_follow_ways BEFORE UPDATE OF state ON nodes
WHEN NEW.state <> OLD.state
    AND NOT EXISTS (SELECT 1 FROM ways WHERE old = OLD.state AND new = NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'not a way between two states');
END;

CREATE TABLE attempts (
    run INTEGER NOT NULL,
    task INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    state TEXT NOT NULL
        CHECK (state IN ('submitting', 'submitted', 'running', 'succeeded', 'failed', 'cancelled')),
    place TEXT NOT NULL,
    folder TEXT NOT NULL,
    job_id TEXT NOT NULL,
    node TEXT NOT NULL,
    cause TEXT,
    exit_code INTEGER,
    signal INTEGER,
    submitted_at REAL,
    started_at REAL,
    ended_at REAL,
    cpu_s REAL,
    peak_rss_bytes INTEGER,
    message TEXT NOT NULL,
    restarted INTEGER NOT NULL CHECK (restarted IN (0, 1)),
    PRIMARY KEY (run, task, number),
    FOREIGN KEY (run, task) REFERENCES nodes (run, position)
) WITHOUT ROWID;

-- What happened, in order. Rows are added and never changed.
CREATE TABLE history (
    run INTEGER NOT NULL REFERENCES runs,
    number INTEGER NOT NULL CHECK (number >= 1),
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    task INTEGER,
    attempt INTEGER,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TRIGGER history_holds_steps BEFORE INSERT ON history
WHEN NEW.kind = 'step'
    AND NOT EXISTS (SELECT 1 FROM steps WHERE old = NEW.old AND new = NEW.new)
BEGIN
    SELECT RAISE(ABORT, 'not a step between two states');
END;

CREATE TRIGGER history_is_not_changed BEFORE UPDATE ON history
BEGIN
    SELECT RAISE(ABORT, 'history is not changed');
END;

CREATE TABLE leases (
    run INTEGER PRIMARY KEY REFERENCES runs,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    until REAL NOT NULL,
    host TEXT NOT NULL,
    process_id INTEGER NOT NULL,
    doorbell TEXT NOT NULL
);

CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs,
    kind TEXT NOT NULL,
    argument TEXT NOT NULL,
    at REAL NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1))
);

CREATE INDEX commands_open ON commands (run) WHERE taken = 0;
