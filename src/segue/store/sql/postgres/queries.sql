-- Every statement of the PostgreSQL store, by name. `--: name` heads each.
-- Many rows come as one JSON array of objects: one statement for all runs of a turn.

--: insert_migration
INSERT INTO segue_migrations (number) VALUES (%s)

--: insert_run
INSERT INTO runs (
    id, workflow, dialect, state, source, directory, workspace, created_at, started_at,
    ended_at, verdict, task_limit, pool, priority, cancelling, description, tags, context, counts,
    restart_limit, slots, continues, reading, updated_at
) VALUES (
    %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::integer::boolean, %s, %s, %s, %s,
    %s, %s, %s, %s, %s
) RETURNING number

--: update_runs
UPDATE runs SET state = new.state, started_at = new.started_at, ended_at = new.ended_at,
    priority = new.priority, cancelling = new.cancelling, counts = new.counts,
    task_limit = new.task_limit, restart_limit = new.restart_limit, slots = new.slots,
    updated_at = new.updated_at
FROM json_to_recordset(%s::json) AS new (
    state text, started_at double precision, ended_at double precision, priority integer,
    cancelling boolean, counts text, task_limit integer, restart_limit integer, slots integer,
    updated_at double precision, number bigint
) WHERE runs.number = new.number

--: select_run_numbers
SELECT id, number FROM runs WHERE id = ANY(%s)

--: select_run_ids
SELECT id FROM runs WHERE starts_with(id, %s) ORDER BY number DESC

--: copy_nodes
COPY nodes (run, position, name, template, barrier) FROM STDIN

--: copy_definitions
COPY definitions (run, position, definition) FROM STDIN

--: insert_nodes
INSERT INTO nodes (run, position, name, template, barrier)
SELECT run, position, name, template, barrier
FROM json_to_recordset(%s::json) AS new (
    run bigint, position integer, name text, template text, barrier boolean
)

--: insert_definitions
INSERT INTO definitions (run, position, definition)
SELECT run, position, definition
FROM json_to_recordset(%s::json) AS new (run bigint, position integer, definition text)

--: update_nodes
WITH changed AS (
    UPDATE nodes SET state = new.state, attempt = new.attempt, cause = new.cause,
        failures = new.failures, losses = new.losses, restarts = new.restarts,
        not_before = new.not_before, cancelling = new.cancelling, refusals = new.refusals,
        reused_from = new.reused_from, held = new.held
    FROM json_to_recordset(%(rows)s::json) AS new (
        state text, attempt integer, cause text, failures integer, losses integer,
        restarts integer, not_before double precision, cancelling boolean, refusals integer,
        reused_from text, held boolean, run bigint, position integer, old text
    )
    WHERE nodes.run = new.run AND nodes.position = new.position AND nodes.state = new.old
    RETURNING 1
)
SELECT expect(count(*), %(number)s, 'SG002', 'a task is not in the state it was read in')
FROM changed

--: select_definitions
SELECT position, definition FROM definitions WHERE run = %s AND position = ANY(%s)

--: update_definitions
UPDATE definitions SET definition = new.definition
FROM json_to_recordset(%s::json) AS new (run bigint, position integer, definition text)
WHERE definitions.run = new.run AND definitions.position = new.position

--: upsert_attempts
INSERT INTO attempts (
    run, task, number, state, place, folder, job_id, node, cause, exit_code, signal,
    submitted_at, started_at, ended_at, cpu_s, peak_rss_bytes, message, restarted
)
SELECT run, task, number, state, place, folder, job_id, node, cause, exit_code, signal,
    submitted_at, started_at, ended_at, cpu_s, peak_rss_bytes, message, restarted
FROM json_to_recordset(%s::json) AS new (
    run bigint, task integer, number integer, state text, place text, folder text, job_id text,
    node text, cause text, exit_code bigint, signal integer, submitted_at double precision,
    started_at double precision, ended_at double precision, cpu_s double precision,
    peak_rss_bytes bigint, message text, restarted boolean
)
ON CONFLICT (run, task, number) DO UPDATE SET
    state = excluded.state, place = excluded.place, folder = excluded.folder,
    job_id = excluded.job_id, node = excluded.node, cause = excluded.cause,
    exit_code = excluded.exit_code, signal = excluded.signal,
    submitted_at = excluded.submitted_at, started_at = excluded.started_at,
    ended_at = excluded.ended_at, cpu_s = excluded.cpu_s,
    peak_rss_bytes = excluded.peak_rss_bytes, message = excluded.message,
    restarted = excluded.restarted

--: delete_attempts
DELETE FROM attempts
USING json_to_recordset(%s::json) AS gone (run bigint, task integer, number integer)
WHERE attempts.run = gone.run AND attempts.task = gone.task AND attempts.number = gone.number

--: select_records
SELECT position, state, attempt, cause, failures, losses, restarts, not_before, cancelling,
    refusals, reused_from, held
FROM nodes WHERE run = %s ORDER BY position

--: select_attempts
SELECT run, task, number, state, place, folder, job_id, node, cause, exit_code, signal,
    submitted_at, started_at, ended_at, cpu_s, peak_rss_bytes, message, restarted
FROM attempts WHERE run = %s ORDER BY task, number

--: select_attempts_of_tasks
SELECT run, task, number, state, place, folder, job_id, node, cause, exit_code, signal,
    submitted_at, started_at, ended_at, cpu_s, peak_rss_bytes, message, restarted
FROM attempts WHERE run = %s AND task = ANY(%s) ORDER BY task, number

--: insert_history
INSERT INTO history (run, number, at, kind, task, attempt, old, new, detail)
SELECT run, number, at, kind, task, attempt, old, new, detail
FROM json_to_recordset(%s::json) AS line (
    run bigint, number integer, at double precision, kind text, task integer, attempt integer,
    old text, new text, detail text
)

--: select_newest_history
SELECT number, at, kind, task, attempt, old, new, detail FROM history
WHERE run = %s ORDER BY number DESC LIMIT 1

--: select_history
SELECT number, at, kind, task, attempt, old, new, detail FROM history
WHERE run = %s AND number > %s ORDER BY number LIMIT %s

--: select_lease
SELECT owner, epoch, until, host, process_id, doorbell FROM leases WHERE run = %s

--: select_turn
SELECT turn FROM leases JOIN runs ON runs.number = leases.run WHERE runs.id = %s

--: take_lease
INSERT INTO leases (run, owner, epoch, until, host, process_id, doorbell)
VALUES (%(run)s, %(owner)s, 1, %(until)s, %(host)s, %(process_id)s, %(doorbell)s)
ON CONFLICT (run) DO UPDATE SET
    owner = excluded.owner, epoch = leases.epoch + 1, until = excluded.until,
    host = excluded.host, process_id = excluded.process_id, doorbell = excluded.doorbell,
    turn = ''
WHERE leases.until <= %(now)s OR leases.owner = excluded.owner
    OR leases.owner = %(dead_owner)s AND leases.epoch = %(dead_epoch)s
RETURNING epoch

--: hold_leases
-- Also a lock: until this turn is over nobody takes the run over.
WITH held AS (
    UPDATE leases SET turn = %(turn)s
    FROM json_to_recordset(%(rows)s::json) AS mine (run bigint, epoch bigint, owner text)
    WHERE leases.run = mine.run AND leases.epoch = mine.epoch AND leases.owner = mine.owner
    RETURNING 1
)
SELECT expect(count(*), %(number)s, 'SG001', 'another engine has taken a run over') FROM held

--: renew_leases
WITH held AS (
    UPDATE leases SET until = %(until)s
    FROM json_to_recordset(%(rows)s::json) AS mine (run bigint, epoch bigint, owner text)
    WHERE leases.run = mine.run AND leases.epoch = mine.epoch AND leases.owner = mine.owner
    RETURNING 1
)
SELECT expect(count(*), %(number)s, 'SG001', 'another engine has taken a run over') FROM held

--: release_lease
UPDATE leases SET until = 0 WHERE run = %s AND epoch = %s AND owner = %s

--: insert_command
INSERT INTO commands (run, kind, argument, at) VALUES (%s, %s, %s, %s) RETURNING id

--: select_commands
SELECT commands.id, runs.id, kind, argument, at
FROM commands JOIN runs ON runs.number = commands.run
WHERE commands.run = ANY(%s) AND NOT taken ORDER BY commands.id

--: take_commands
UPDATE commands SET taken = true WHERE id = ANY(%s)

--: lock_run
SELECT state FROM runs WHERE number = %s FOR UPDATE

--: delete_commands
DELETE FROM commands WHERE run = %s

--: delete_leases
DELETE FROM leases WHERE run = %s

--: delete_history
DELETE FROM history WHERE run = %s

--: delete_attempts_of_run
DELETE FROM attempts WHERE run = %s

--: delete_definitions
DELETE FROM definitions WHERE run = %s

--: delete_nodes
DELETE FROM nodes WHERE run = %s

--: delete_run
DELETE FROM runs WHERE number = %s

--: put_token
INSERT INTO tokens (id, name, role, digest, created_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, role = excluded.role, digest = excluded.digest,
    created_at = excluded.created_at, expires_at = excluded.expires_at

--: select_tokens
SELECT id, name, role, digest, created_at, expires_at FROM tokens ORDER BY created_at, id

--: delete_token
DELETE FROM tokens WHERE id = %s RETURNING 1
