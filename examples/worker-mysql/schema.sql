-- The queue of the example worker. mariadb app < schema.sql, or mysql app < schema.sql
CREATE TABLE jobs (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    queue varchar(255) COLLATE utf8mb4_bin NOT NULL, -- which tells capitals apart
    payload longtext NOT NULL,
    state varchar(20) NOT NULL DEFAULT 'queued',     -- or 'running'; a job that is done is deleted
    worker varchar(253),                             -- the name of the pod that runs it
    alive_at timestamp(6) NULL,                      -- when that pod last said so
    run_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    created_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    INDEX jobs_by_queue (queue, state, run_at)       -- what is counted, and what a worker takes next
) ENGINE = InnoDB CHARACTER SET utf8mb4;
