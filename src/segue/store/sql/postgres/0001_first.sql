-- The first schema for PostgreSQL. The database itself refuses a state or a step that is
-- not in the tables `states`, `steps` and `ways`; these are filled from segue.model.states.
--
-- JSON is kept as text: as `jsonb` it would not come back as it was stored.

-- Which of these files have been here.
CREATE TABLE segue_migrations (
    number integer PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE states (name text PRIMARY KEY);

-- Every single step that a task may take.
CREATE TABLE steps (
    old text NOT NULL REFERENCES states,
    new text NOT NULL REFERENCES states,
    PRIMARY KEY (old, new)
);

-- Where several steps, written at once, may lead.
CREATE TABLE ways (
    old text NOT NULL REFERENCES states,
    new text NOT NULL REFERENCES states,
    PRIMARY KEY (old, new)
);

CREATE TABLE runs (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    workflow text NOT NULL,
    dialect text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('running', 'paused', 'succeeded', 'failed', 'cancelled')),
    source text NOT NULL,
    directory text NOT NULL,
    workspace text NOT NULL,
    created_at double precision NOT NULL,
    started_at double precision,
    ended_at double precision,
    verdict text NOT NULL CHECK (verdict IN ('default', 'strict')),
    task_limit integer NOT NULL CHECK (task_limit >= 0),
    pool text NOT NULL,
    priority integer NOT NULL,
    cancelling boolean NOT NULL,
    description text NOT NULL,
    tags text NOT NULL,
    context text NOT NULL,
    counts text NOT NULL,
    restart_limit integer CHECK (restart_limit >= 0),
    slots integer NOT NULL CHECK (slots >= 0),
    continues text NOT NULL,
    reading text NOT NULL
);

CREATE INDEX runs_by_workspace ON runs (workspace, number);
CREATE INDEX runs_by_state ON runs (state, number);

-- Tasks and barriers, numbered from 0 within their run.
CREATE TABLE nodes (
    run bigint NOT NULL REFERENCES runs,
    position integer NOT NULL CHECK (position >= 0),
    name text NOT NULL,
    template text NOT NULL,
    barrier boolean NOT NULL,
    definition text NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    attempt integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    cause text,
    failures integer NOT NULL DEFAULT 0,
    losses integer NOT NULL DEFAULT 0,
    restarts integer NOT NULL DEFAULT 0,
    not_before double precision NOT NULL DEFAULT 0,
    cancelling boolean NOT NULL DEFAULT false,
    refusals integer NOT NULL DEFAULT 0,
    reused_from text NOT NULL DEFAULT '',
    PRIMARY KEY (run, position)
-- Each task changes a few times: its new row finds room beside the old one.
) WITH (fillfactor = 70);

CREATE INDEX nodes_by_name ON nodes (run, name);

CREATE FUNCTION nodes_begin_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a task begins waiting' USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER nodes_begin_waiting BEFORE INSERT ON nodes
FOR EACH ROW WHEN (NEW.state <> 'waiting') EXECUTE FUNCTION nodes_begin_waiting();

CREATE FUNCTION nodes_follow_ways() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM ways WHERE ways.old = OLD.state AND ways.new = NEW.state) THEN
        RAISE EXCEPTION 'not a way between two states: % -> %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER nodes_follow_ways BEFORE UPDATE OF state ON nodes
FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION nodes_follow_ways();

CREATE TABLE attempts (
    run bigint NOT NULL,
    task integer NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    state text NOT NULL
        CHECK (state IN ('submitting', 'submitted', 'running', 'succeeded', 'failed', 'cancelled')),
    place text NOT NULL,
    folder text NOT NULL,
    job_id text NOT NULL,
    node text NOT NULL,
    cause text,
    exit_code bigint,
    signal integer,
    submitted_at double precision,
    started_at double precision,
    ended_at double precision,
    cpu_s double precision,
    peak_rss_bytes bigint,
    message text NOT NULL,
    restarted boolean NOT NULL,
    PRIMARY KEY (run, task, number),
    FOREIGN KEY (run, task) REFERENCES nodes (run, position)
) WITH (fillfactor = 70);

-- What happened, in order. Rows are added and never changed.
CREATE TABLE history (
    run bigint NOT NULL REFERENCES runs,
    number integer NOT NULL CHECK (number >= 1),
    at double precision NOT NULL,
    kind text NOT NULL,
    task integer,
    attempt integer,
    old text NOT NULL,
    new text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE FUNCTION history_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM added WHERE kind = 'step' AND NOT EXISTS (
            SELECT 1 FROM steps WHERE steps.old = added.old AND steps.new = added.new
        )
    ) THEN
        RAISE EXCEPTION 'not a step between two states' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT 1
        FROM (SELECT run, min(number) AS first, max(number) AS last, count(*) AS many
              FROM added GROUP BY run) AS turn
        WHERE last - first + 1 <> many OR first > 1 AND NOT EXISTS (
            SELECT 1 FROM history WHERE history.run = turn.run AND history.number = first - 1
        )
    ) THEN
        RAISE EXCEPTION 'a number of the history is left out' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER history_is_whole AFTER INSERT ON history
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION history_is_whole();

CREATE FUNCTION history_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is not changed' USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER history_is_not_changed BEFORE UPDATE ON history
FOR EACH STATEMENT EXECUTE FUNCTION history_is_not_changed();

-- `until` is a time of the server's clock. `turn` is the word of the newest commit.
CREATE TABLE leases (
    run bigint PRIMARY KEY REFERENCES runs,
    owner text NOT NULL,
    epoch bigint NOT NULL CHECK (epoch >= 1),
    until double precision NOT NULL,
    host text NOT NULL,
    process_id bigint NOT NULL,
    doorbell text NOT NULL,
    turn text NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

CREATE TABLE commands (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL REFERENCES runs,
    kind text NOT NULL,
    argument text NOT NULL,
    at double precision NOT NULL,
    taken boolean NOT NULL DEFAULT false
);

CREATE INDEX commands_open ON commands (run) WHERE NOT taken;

-- Engines listen, on whichever machine they are.
CREATE FUNCTION commands_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('segue_commands', id) FROM runs WHERE number = NEW.run;
    RETURN NULL;
END $$;

CREATE TRIGGER commands_ring AFTER INSERT ON commands
FOR EACH ROW EXECUTE FUNCTION commands_ring();

-- Raises, and so undoes the whole turn, unless so many rows were found as were meant.
CREATE FUNCTION expect(changed bigint, meant bigint, code text, what text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF changed <> meant THEN
        RAISE EXCEPTION '%', what USING ERRCODE = code;
    END IF;
END $$;
