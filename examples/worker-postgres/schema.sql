-- The queue of the example worker. psql app -f schema.sql
CREATE TABLE jobs (
    id bigserial PRIMARY KEY,
    queue text NOT NULL,
    payload text NOT NULL,
    state text NOT NULL DEFAULT 'queued', -- or 'running'; a job that is done is deleted
    worker text,                          -- the name of the pod that runs it
    alive_at timestamptz,                 -- when that pod last said so
    run_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What is counted, and what a worker takes next.
CREATE INDEX jobs_by_queue ON jobs (queue, state, run_at);

-- A new job rings for its queue: the operator, and whoever else listens.
CREATE FUNCTION notify_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('jobs', new.queue);
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_notify AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION notify_jobs();
