-- Every statement of the SQLite store, by name. `--: name` heads each.

--: insert_run
INSERT INTO runs (
    number, id, workflow, dialect, state, source, directory, workspace, created_at, started_at,
    ended_at, verdict, task_limit, pool, priority, cancelling, description, tags, context, counts,
    restart_limit, slots, continues, reading, updated_at
) VALUES (
    1 + max((SELECT deleted FROM numbers), (SELECT coalesce(max(number), 0) FROM runs)),
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)

--: update_run
UPDATE runs SET state = ?, started_at = ?, ended_at = ?, priority = ?, cancelling = ?, counts = ?,
    task_limit = ?, restart_limit = ?, slots = ?, updated_at = ?
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
INSERT INTO nodes (run, position, name, template, barrier) VALUES (?, ?, ?, ?, ?)

--: insert_definition
INSERT INTO definitions (run, position, definition) VALUES (?, ?, ?)

--: update_node
UPDATE nodes SET state = ?, attempt = ?, cause = ?, failures = ?, losses = ?, restarts = ?,
    not_before = ?, cancelling = ?, refusals = ?, reused_from = ?, held = ?
WHERE run = ? AND position = ? AND state = ?

--: select_definition
SELECT definition FROM definitions WHERE run = ? AND position = ?

--: update_definition
UPDATE definitions SET definition = ? WHERE run = ? AND position = ?

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
    refusals, reused_from, held
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

--: delete_commands
DELETE FROM commands WHERE run = ?

--: delete_leases
DELETE FROM leases WHERE run = ?

--: delete_history
DELETE FROM history WHERE run = ?

--: delete_attempts
DELETE FROM attempts WHERE run = ?

--: delete_definitions
DELETE FROM definitions WHERE run = ?

--: delete_nodes
DELETE FROM nodes WHERE run = ?

--: delete_run
DELETE FROM runs WHERE number = ?

--: keep_number
UPDATE numbers SET deleted = max(deleted, ?)

--: put_token
INSERT INTO tokens (id, name, role, digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, role = excluded.role, digest = excluded.digest,
    created_at = excluded.created_at, expires_at = excluded.expires_at

--: select_tokens
SELECT id, name, role, digest, created_at, expires_at FROM tokens ORDER BY created_at, id

--: delete_token
DELETE FROM tokens WHERE id = ?
