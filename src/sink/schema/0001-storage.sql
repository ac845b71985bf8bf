-- Storage of events, hosts and losses; the stable interface is the view activity.

-- A host's boots. Each event carries the key of one instead of name and UUID: some 40 bytes a row less, and in the
-- index too.
CREATE TABLE @schema@.boot (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  host       text NOT NULL,
  boot_id    uuid NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (host, boot_id)
);

-- One row an event. The default of received_at is now() and not clock_timestamp(): a volatile default would make COPY
-- insert row by row.
CREATE TABLE @schema@.event (
  ts             timestamptz NOT NULL,
  seq            bigint NOT NULL,
  received_at    timestamptz NOT NULL DEFAULT now(),
  boot           integer NOT NULL,
  result         integer,
  pid            integer,
  tid            integer,
  ppid           integer,
  sid            integer,
  opener_pid     integer,
  local_port     integer,
  remote_port    integer,
  login_port     integer,
  uid            bigint,
  gid            bigint,
  euid           bigint,
  egid           bigint,
  loginuid       bigint,
  audit_session  bigint,
  bytes_sent     bigint,
  bytes_received bigint,
  exe_inode      bigint,
  mnt_ns         bigint,
  login_id       bigint,
  duration       interval,
  args_truncated boolean,
  kind           text NOT NULL,
  writer         text NOT NULL DEFAULT session_user,
  proto          text,
  tty            text,
  comm           text,
  exe            text,
  exe_dev        text,
  args           text[],
  cwd            text,
  cgroup         text,
  local_addr     inet,
  remote_addr    inet,
  login_addr     inet,
  login_user     text,
  pam_service    text,
  pam_user       text,
  pam_ruser      text,
  pam_rhost      text,
  container      text,
  job            text,
  marks          text[]
) PARTITION BY RANGE (ts);

CREATE INDEX event_ts ON @schema@.event USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX event_boot_ts ON @schema@.event (boot, ts);
CREATE INDEX event_remote_addr ON @schema@.event (remote_addr) WHERE remote_addr IS NOT NULL;
CREATE INDEX event_login ON @schema@.event (ts) WHERE kind IN ('auth', 'open_session', 'close_session');

-- Whatever the clock says, a row finds a place; create_partition() moves it out again.
CREATE TABLE @schema@.event_default PARTITION OF @schema@.event DEFAULT;

CREATE VIEW @schema@.activity AS
SELECT e.ts, b.host, b.boot_id, e.seq, e.kind, e.result, e.pid, e.tid, e.ppid, e.sid, e.tty, e.uid, e.gid, e.euid,
       e.egid, e.loginuid, e.audit_session, e.comm, e.exe, e.args, e.args_truncated, e.cwd, e.proto, e.local_addr,
       e.local_port, e.remote_addr, e.remote_port, e.duration, e.bytes_sent, e.bytes_received, e.cgroup, e.login_id,
       e.login_user, e.login_addr, e.login_port, e.pam_service, e.pam_user, e.pam_rhost, e.container, e.job,
       e.exe_dev, e.exe_inode, e.mnt_ns, e.opener_pid, coalesce(e.marks, '{}'::text[]) AS marks, e.writer,
       e.received_at
-- An outer join: it never hides an event, and the planner leaves it out where the host is not asked for.
FROM @schema@.event AS e LEFT JOIN @schema@.boot AS b ON b.id = e.boot;

CREATE TABLE @schema@.loss (
  from_ts     timestamptz NOT NULL,
  to_ts       timestamptz NOT NULL,
  host        text NOT NULL,
  stage       text NOT NULL,
  kind        text,
  cause       text NOT NULL,
  uid         bigint,
  count       bigint,
  writer      text NOT NULL DEFAULT session_user,
  received_at timestamptz NOT NULL DEFAULT now()
);

-- last_seen is updated about once a second, hence the free space in each page.
CREATE TABLE @schema@.hosts (
  host       text PRIMARY KEY,
  boot_id    uuid NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen  timestamptz NOT NULL DEFAULT clock_timestamp(),
  version    text,
  kernel     text,
  hooks      jsonb,
  lag        interval,
  lost       bigint,
  clock      text,
  writer     text NOT NULL DEFAULT session_user
) WITH (fillfactor = 50);

CREATE TABLE @schema@.host_event (
  ts          timestamptz NOT NULL,
  host        text NOT NULL,
  boot_id     uuid,
  kind        text NOT NULL,
  detail      text,
  writer      text NOT NULL DEFAULT session_user,
  received_at timestamptz NOT NULL DEFAULT now()
);

-- Returns the key for event.boot and notes that the host lives.
CREATE FUNCTION @schema@.register_host(a_host text, a_boot_id uuid, a_version text, a_kernel text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
DECLARE
  key integer;
BEGIN
  SELECT id INTO key FROM boot WHERE host = a_host AND boot_id = a_boot_id;
  IF key IS NULL THEN
    INSERT INTO boot (host, boot_id) VALUES (a_host, a_boot_id)
    ON CONFLICT (host, boot_id) DO UPDATE SET host = excluded.host RETURNING id INTO key;
  END IF;
  INSERT INTO hosts (host, boot_id, version, kernel) VALUES (a_host, a_boot_id, a_version, a_kernel)
  ON CONFLICT (host) DO UPDATE SET boot_id = excluded.boot_id, version = excluded.version,
    kernel = excluded.kernel, last_seen = excluded.last_seen, writer = excluded.writer;
  RETURN key;
END
$body$;

CREATE FUNCTION @schema@.sign_of_life(a_boot integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
  UPDATE hosts SET last_seen = clock_timestamp()
  WHERE host = (SELECT host FROM boot WHERE id = a_boot);
$body$;

-- Makes the partition of one UTC day; false: there is one. Attaching a table that was made beforehand lets writers go
-- on, which CREATE TABLE ... PARTITION OF would not; only event_default is locked, because it may hold rows of the day.
CREATE FUNCTION @schema@.create_partition(a_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
SET lock_timeout = '2s' AS $body$
DECLARE
  partition text := 'event_' || to_char(a_day, 'YYYYMMDD');
  from_ts timestamptz := a_day::timestamptz;
  to_ts timestamptz := (a_day + 1)::timestamptz;
BEGIN
  IF to_regclass(partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('iptrackd partitions ' || current_schema(), 0));
  IF to_regclass(partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE event_default IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE %I (LIKE event INCLUDING ALL)', partition);
  EXECUTE format('WITH moved AS (DELETE FROM event_default WHERE ts >= $1 AND ts < $2 RETURNING *) '
                 'INSERT INTO %I SELECT * FROM moved', partition) USING from_ts, to_ts;
  EXECUTE format('ALTER TABLE event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, from_ts, to_ts);
  RETURN true;
END
$body$;

-- Yesterday to a week ahead. Returns how many partitions were made. A lock that is not to be had is left to the next
-- call: there are many in a week.
CREATE FUNCTION @schema@.ensure_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
DECLARE
  today date := (now() AT TIME ZONE 'UTC')::date;
  created integer := 0;
BEGIN
  FOR offset_days IN -1..7 LOOP
    IF create_partition(today + offset_days) THEN
      created := created + 1;
    END IF;
  END LOOP;
  RETURN created;
EXCEPTION WHEN lock_not_available THEN
  RETURN 0;
END
$body$;

-- Gives the rows of event_default their partitions, where their day is a believable one: the past year to a week
-- ahead. Returns how many partitions were made.
CREATE FUNCTION @schema@.adopt_strays() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
DECLARE
  stray date;
  created integer := 0;
BEGIN
  FOR stray IN
    SELECT DISTINCT (ts AT TIME ZONE 'UTC')::date FROM event_default
    WHERE ts >= now() - interval '366 days' AND ts < now() + interval '8 days'
  LOOP
    IF create_partition(stray) THEN
      created := created + 1;
    END IF;
  END LOOP;
  RETURN created;
END
$body$;

REVOKE ALL ON FUNCTION @schema@.register_host(text, uuid, text, text), @schema@.sign_of_life(integer),
  @schema@.create_partition(date), @schema@.ensure_partitions(), @schema@.adopt_strays() FROM PUBLIC;

SELECT @schema@.ensure_partitions();
