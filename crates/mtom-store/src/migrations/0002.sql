-- Schema version 2: a year of a thousand sensors. Readings are appended in the order of their
-- numbers; one index by spans of five seconds serves pages by time and pages of a series. A batch of a
-- thousand series then touches a few dozen pages; clustered by series it touched a thousand.

-- Which numbers of a device's boot are stored, as runs without a gap: an ordinary device has one row
-- per boot and series, whatever it has sent. It outlives the readings, so that a redelivery stays a
-- duplicate when retention has taken the first; and the gaps between runs are what never arrived.
-- `first` and `last` are the device's u64 as the i64 of the same bits.
CREATE TABLE seq_run (
    series INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (series, boot, first)
) STRICT, WITHOUT ROWID;

INSERT INTO seq_run (series, boot, first, last)
SELECT series, boot, min(seq), max(seq)
FROM (
    SELECT series, boot, seq, seq - row_number() OVER (PARTITION BY series, boot ORDER BY seq) AS run
    FROM reading
    WHERE boot IS NOT NULL
)
GROUP BY series, boot, run;

CREATE TABLE reading_2 (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    -- The time it counts for.
    at_micros INTEGER NOT NULL CHECK (at_micros >= 0),
    value REAL NOT NULL,
    topic INTEGER NOT NULL,
    -- Arrival minus at: two bytes where the time itself takes eight.
    arrived_after_micros INTEGER NOT NULL,
    -- 1: the device said `at_micros`. 0: it is the arrival.
    is_device_time INTEGER NOT NULL,
    -- What the device said where that cannot be true.
    suspect_taken_at_micros INTEGER,
    boot INTEGER,
    seq INTEGER,
    -- Which five seconds, and where inside them. Not stored but in the index.
    slot INTEGER GENERATED ALWAYS AS (at_micros / 5000000) VIRTUAL,
    within INTEGER GENERATED ALWAYS AS (at_micros % 5000000) VIRTUAL
) STRICT;

INSERT INTO reading_2 (id, series, at_micros, value, topic, arrived_after_micros, is_device_time,
    suspect_taken_at_micros, boot, seq)
SELECT id, series, max(at_micros, 0), value, topic, arrived_at_micros - max(at_micros, 0),
    taken_at_micros IS NOT NULL AND NOT suspect, iif(suspect, taken_at_micros, NULL), boot, seq
FROM reading
ORDER BY id;

DROP VIEW temp;
DROP TABLE reading;
ALTER TABLE reading_2 RENAME TO reading;
CREATE INDEX reading_by_slot ON reading (slot, series, within);

-- Minutes, hours and days since 1970, UTC. Ordered by time first: all series of a minute are
-- neighbours. The second index gains one row per span and series, and never changes after.
CREATE TABLE rollup_minute_2 (
    minute INTEGER NOT NULL,
    series INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    sum REAL NOT NULL,
    last REAL NOT NULL,
    -- Since the minute began.
    last_after_micros INTEGER NOT NULL,
    PRIMARY KEY (minute, series)
) STRICT, WITHOUT ROWID;

INSERT INTO rollup_minute_2
SELECT start_micros / 60000000, series, count, min, max, sum, last, last_at_micros - start_micros
FROM rollup_minute WHERE start_micros >= 0;
DROP TABLE rollup_minute;
ALTER TABLE rollup_minute_2 RENAME TO rollup_minute;
CREATE UNIQUE INDEX rollup_minute_by_series ON rollup_minute (series, minute);

CREATE TABLE rollup_hour_2 (
    hour INTEGER NOT NULL,
    series INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    sum REAL NOT NULL,
    last REAL NOT NULL,
    last_after_micros INTEGER NOT NULL,
    PRIMARY KEY (hour, series)
) STRICT, WITHOUT ROWID;

INSERT INTO rollup_hour_2
SELECT start_micros / 3600000000, series, count, min, max, sum, last, last_at_micros - start_micros
FROM rollup_hour WHERE start_micros >= 0;
DROP TABLE rollup_hour;
ALTER TABLE rollup_hour_2 RENAME TO rollup_hour;
CREATE UNIQUE INDEX rollup_hour_by_series ON rollup_hour (series, hour);

CREATE TABLE rollup_day (
    day INTEGER NOT NULL,
    series INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    sum REAL NOT NULL,
    last REAL NOT NULL,
    last_after_micros INTEGER NOT NULL,
    PRIMARY KEY (day, series)
) STRICT, WITHOUT ROWID;

INSERT INTO rollup_day
SELECT hour / 24, series, sum(count), min(min), max(max), sum(sum), last,
    max(hour % 24 * 3600000000 + last_after_micros)
FROM rollup_hour
GROUP BY hour / 24, series;
CREATE UNIQUE INDEX rollup_day_by_series ON rollup_day (series, day);

-- The minute, hour and day of each series' newest reading, and what they sum up to so far. Their rows in
-- the three tables are there and become true when the span is over.
CREATE TABLE rollup_open (
    series INTEGER PRIMARY KEY,
    last_at_micros INTEGER NOT NULL,
    last REAL NOT NULL,
    minute_count INTEGER NOT NULL,
    minute_min REAL NOT NULL,
    minute_max REAL NOT NULL,
    minute_sum REAL NOT NULL,
    hour_count INTEGER NOT NULL,
    hour_min REAL NOT NULL,
    hour_max REAL NOT NULL,
    hour_sum REAL NOT NULL,
    day_count INTEGER NOT NULL,
    day_min REAL NOT NULL,
    day_max REAL NOT NULL,
    day_sum REAL NOT NULL
) STRICT;

INSERT INTO rollup_open
SELECT series, minute * 60000000 + minute.last_after_micros, minute.last,
    minute.count, minute.min, minute.max, minute.sum,
    hour.count, hour.min, hour.max, hour.sum,
    day.count, day.min, day.max, day.sum
FROM (SELECT series, max(minute) AS minute FROM rollup_minute GROUP BY series)
JOIN rollup_minute AS minute USING (series, minute)
JOIN rollup_hour AS hour USING (series)
JOIN rollup_day AS day USING (series)
WHERE hour = minute / 60 AND day = hour / 24;

-- How many temperatures of all series are stored in each day (level 0), hour (1) and slot (2), counted
-- since 1970: `database:N` adds these up instead of walking over N readings.
CREATE TABLE temperature_count_2 (
    level INTEGER NOT NULL,
    span INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (level, span)
) STRICT, WITHOUT ROWID;

INSERT INTO temperature_count_2
SELECT 2, slot, count(*) FROM reading JOIN series ON series.id = reading.series
WHERE is_temperature GROUP BY slot;
INSERT INTO temperature_count_2
SELECT 1, span / 720, sum(count) FROM temperature_count_2 WHERE level = 2 GROUP BY span / 720;
INSERT INTO temperature_count_2
SELECT 0, span / 24, sum(count) FROM temperature_count_2 WHERE level = 1 GROUP BY span / 24;
DROP TABLE temperature_count;
ALTER TABLE temperature_count_2 RENAME TO temperature_count;

-- Duplicates by series: what arrived of a device is what is stored and this.
CREATE TABLE duplicate_total (
    series INTEGER PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;

-- How long readings took per hour and hop (0 taken to arrived, 1 arrived to stored, 2 stored to
-- drained): how many took from 2^level to 2^(level+1) microseconds.
CREATE TABLE latency (
    hour INTEGER NOT NULL,
    hop INTEGER NOT NULL,
    level INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, hop, level)
) STRICT, WITHOUT ROWID;

-- Up to which reading and reject another database has everything, and what retention has taken.
ALTER TABLE total ADD COLUMN drained_reading_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN drained_reject_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN readings_deleted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN rejects_deleted INTEGER NOT NULL DEFAULT 0;

-- Files that are being imported: how far, so that an import goes on where it was cut.
CREATE TABLE import (
    id INTEGER PRIMARY KEY,
    -- What makes the file recognisable.
    source TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    bad INTEGER NOT NULL,
    began_at_micros INTEGER NOT NULL,
    ended_at_micros INTEGER
) STRICT;

-- The sums as they are, with the open spans.
CREATE VIEW minutes AS
SELECT
    sum.minute,
    sum.series,
    ifnull(minute_count, count) AS count,
    ifnull(minute_min, min) AS min,
    ifnull(minute_max, max) AS max,
    ifnull(minute_sum, sum.sum) AS sum,
    ifnull(open.last, sum.last) AS last,
    ifnull(open.last_at_micros % 60000000, last_after_micros) AS last_after_micros
FROM rollup_minute AS sum
LEFT JOIN rollup_open AS open
    ON open.series = sum.series AND open.last_at_micros / 60000000 = sum.minute;

CREATE VIEW hours AS
SELECT
    sum.hour,
    sum.series,
    ifnull(hour_count, count) AS count,
    ifnull(hour_min, min) AS min,
    ifnull(hour_max, max) AS max,
    ifnull(hour_sum, sum.sum) AS sum,
    ifnull(open.last, sum.last) AS last,
    ifnull(open.last_at_micros % 3600000000, last_after_micros) AS last_after_micros
FROM rollup_hour AS sum
LEFT JOIN rollup_open AS open
    ON open.series = sum.series AND open.last_at_micros / 3600000000 = sum.hour;

CREATE VIEW days AS
SELECT
    sum.day,
    sum.series,
    ifnull(day_count, count) AS count,
    ifnull(day_min, min) AS min,
    ifnull(day_max, max) AS max,
    ifnull(day_sum, sum.sum) AS sum,
    ifnull(open.last, sum.last) AS last,
    ifnull(open.last_at_micros % 86400000000, last_after_micros) AS last_after_micros
FROM rollup_day AS sum
LEFT JOIN rollup_open AS open
    ON open.series = sum.series AND open.last_at_micros / 86400000000 = sum.day;

-- For people with any SQLite tool.
CREATE VIEW history AS
SELECT
    reading.id,
    strftime('%Y-%m-%dT%H:%M:%fZ', reading.at_micros / 1000000.0, 'unixepoch') AS time,
    series.device,
    series.quantity,
    reading.value,
    series.unit
FROM reading
JOIN series ON series.id = reading.series;

-- The table of the original system (`wire.md` §1.6): local time, degrees Celsius.
CREATE VIEW temp (time, temp) AS
SELECT
    datetime(reading.at_micros / 1000000, 'unixepoch', 'localtime'),
    CASE series.unit
        WHEN '°F' THEN (reading.value - 32.0) * 5.0 / 9.0
        WHEN 'K' THEN reading.value - 273.15
        ELSE reading.value
    END
FROM reading
JOIN series ON series.id = reading.series
WHERE series.is_temperature;
