-- Schema version 1. Times are UTC microseconds since 1970; the column names say so.
-- No foreign keys on `reading`: one writer, in one transaction, and each check would cost a seek.

CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    applied_at_micros INTEGER NOT NULL
) STRICT;

-- What is measured where. The unit belongs to the series, so that no rollup mixes °C and °F.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    quantity TEXT NOT NULL,
    unit TEXT NOT NULL,
    is_temperature INTEGER NOT NULL,
    UNIQUE (device, quantity, unit)
) STRICT;

-- Long texts that repeat in every reading are kept once.
CREATE TABLE topic (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE boot (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE reading (
    series INTEGER NOT NULL,
    at_micros INTEGER NOT NULL,
    id INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    value REAL NOT NULL,
    arrived_at_micros INTEGER NOT NULL,
    taken_at_micros INTEGER,
    suspect INTEGER NOT NULL,
    boot INTEGER,
    -- The device's u64, as the i64 of the same bits.
    seq INTEGER,
    PRIMARY KEY (series, at_micros, id)
) STRICT, WITHOUT ROWID;

-- Pages over all series.
CREATE INDEX reading_by_time ON reading (at_micros, id);

-- One reading per key and series: a redelivery finds the first.
CREATE UNIQUE INDEX reading_by_key ON reading (series, boot, seq) WHERE boot IS NOT NULL;

-- Ordered by time first: a minute's rows of all series are neighbours, so a commit that touches a
-- thousand series writes a few pages, not a thousand.
CREATE TABLE rollup_minute (
    start_micros INTEGER NOT NULL,
    series INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    sum REAL NOT NULL,
    last REAL NOT NULL,
    last_at_micros INTEGER NOT NULL,
    PRIMARY KEY (start_micros, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_hour (
    start_micros INTEGER NOT NULL,
    series INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    sum REAL NOT NULL,
    last REAL NOT NULL,
    last_at_micros INTEGER NOT NULL,
    PRIMARY KEY (start_micros, series)
) STRICT, WITHOUT ROWID;

-- How many temperatures of all series lie in each day, hour, minute and second: `database:N` adds
-- these up instead of walking over N readings.
CREATE TABLE temperature_count (
    width_micros INTEGER NOT NULL,
    start_micros INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (width_micros, start_micros)
) STRICT, WITHOUT ROWID;

CREATE TABLE reject (
    id INTEGER PRIMARY KEY,
    arrived_at_micros INTEGER NOT NULL,
    topic TEXT NOT NULL,
    payload_head BLOB NOT NULL,
    payload_len INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

-- The ledger: reading -> rule -> command -> sent -> applied or refused.
CREATE TABLE command (
    number INTEGER PRIMARY KEY,
    actuator TEXT NOT NULL,
    desired_on INTEGER NOT NULL,
    rule TEXT NOT NULL,
    reading INTEGER,
    cause TEXT NOT NULL,
    decided_at_micros INTEGER NOT NULL,
    sent_at_micros INTEGER,
    applied_at_micros INTEGER,
    refused_at_micros INTEGER,
    refused_reason TEXT
) STRICT;

CREATE TABLE rule_state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    state BLOB NOT NULL
) STRICT;

-- Totals since the file was made. They only grow: what retention deletes stays counted, and no
-- number is given out twice.
CREATE TABLE total (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    stored INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    reading_id_last INTEGER NOT NULL,
    reject_id_last INTEGER NOT NULL,
    command_number_last INTEGER NOT NULL
) STRICT;

INSERT INTO total VALUES (1, 0, 0, 0, 0, 0, 0);

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
