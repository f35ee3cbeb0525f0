-- Every statement of the SQLite store, by name. `--: name` heads each.

--: insert_run
INSERT INTO runs (
    id, workflow, dialect, state, source, directory, workspace, created_at, started_at,
    ended_at, verdict, task_limit, pool, priority, cancelling, description, tags, context, counts,
    restart_limit, slots, continues, reading
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

--: update_run
UPDATE runs SET state = ?, started_at = ?, ended_at = ?, priority = ?, cancelling = ?, counts = ?,
    task_limit = ?, restart_limit = ?, slots = ?
WHERE number = ?

--: select_run
SELECT * FROM runs WHERE id = ?

--: select_run_number
SELECT number FROM runs WHERE id = ?

--: select_runs
SELECT * FROM runs ORDER BY number DESC LIMIT ?

--: select_runs_by_state
SELECT * FROM runs WHERE state IN (SELECT value FROM json_each(?)) ORDER BY number DESC LIMIT ?

--: select_runs_of_workspace
SELECT * FROM runs WHERE workspace = ? ORDER BY number DESC LIMIT ?

--: select_run_ids
SELECT id FROM runs WHERE substr(id, 1, ?) = ? ORDER BY number DESC

--: insert_node
INSERT INTO nodes (run, position, name, template, barrier, definition) VALUES (?, ?, ?, ?, ?, ?)

--: update_node
UPDATE nodes SET state = ?, attempt = ?, cause = ?, failures = ?, losses = ?, restarts = ?,
    not_before = ?, cancelling = ?, refusals = ?, reused_from = ?
WHERE run = ? AND position = ? AND state = ?

--: select_definition
SELECT definition FROM nodes WHERE run = ? AND position = ?

--: update_definition
UPDATE nodes SET definition = ? WHERE run = ? AND position = ?

--: upsert_attempt
INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, task, number) DO UPDATE SET
    state = excluded.state, place = excluded.place, folder = excluded.folder,
    job_id = excluded.job_id, node = excluded.node, cause = excluded.cause,
    exit_code = excluded.exit_code, signal = excluded.signal,
    submitted_at = excluded.submitted_at, started_at = excluded.started_at,
    ended_at = excluded.ended_at, cpu_s = excluded.cpu_s,
    peak_rss_bytes = excluded.peak_rss_bytes, message = excluded.message,
    restarted = excluded.restarted

--: delete_attempt
DELETE FROM attempts WHERE run = ? AND task = ? AND number = ?

--: select_records
SELECT position, state, attempt, cause, failures, losses, restarts, not_before, cancelling,
    refusals, reused_from
FROM nodes WHERE run = ? ORDER BY position

--: select_attempts
SELECT * FROM attempts WHERE run = ? ORDER BY task, number

--: select_attempts_of_task
SELECT * FROM attempts WHERE run = ? AND task = ? ORDER BY number

--: insert_history
INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

--: select_newest_history
SELECT number, at, kind, task, attempt, old, new, detail FROM history
WHERE run = ? ORDER BY number DESC LIMIT 1

--: select_history
SELECT number, at, kind, task, attempt, old, new, detail FROM history
WHERE run = ? AND number > ? ORDER BY number LIMIT ?

--: select_lease
SELECT owner, epoch, until, host, process_id, doorbell FROM leases WHERE run = ?

--: upsert_lease
INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET
    owner = excluded.owner, epoch = excluded.epoch, until = excluded.until,
    host = excluded.host, process_id = excluded.process_id, doorbell = excluded.doorbell

--: renew_lease
UPDATE leases SET until = ? WHERE run = ? AND epoch = ? AND owner = ?

--: insert_command
INSERT INTO commands (run, kind, argument, at) VALUES (?, ?, ?, ?)

--: select_commands
SELECT id, kind, argument, at FROM commands WHERE run = ? AND taken = 0 ORDER BY id

--: take_command
UPDATE commands SET taken = 1 WHERE id = ?
