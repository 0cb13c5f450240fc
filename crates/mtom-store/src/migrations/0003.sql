-- Schema version 3: rules that are replaced while they run, explain themselves and raise alerts.

-- What each rule remembers, written only when it changed. The key '' is the state of all rules together,
-- as version 2 kept it.
CREATE TABLE rule_state_3 (
    key TEXT PRIMARY KEY,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO rule_state_3 SELECT '', state FROM rule_state;
DROP TABLE rule_state;
ALTER TABLE rule_state_3 RENAME TO rule_state;

-- Which rules ran since when; the last row is what runs. A row is never changed: going back to older
-- rules is a new row with their text.
CREATE TABLE rule_set (
    version INTEGER PRIMARY KEY,
    applied_at_micros INTEGER NOT NULL,
    -- Who brought it: a file, a person by way of the page, a way back.
    source TEXT NOT NULL,
    -- TOML.
    text TEXT NOT NULL
) STRICT;

-- What the rule said (16 hexadecimal digits), and its condition with the values of the reading.
ALTER TABLE command ADD COLUMN rule_version TEXT;
ALTER TABLE command ADD COLUMN condition TEXT;
CREATE INDEX command_by_actuator ON command (actuator, number);

-- Messages of rules: they wait here until somebody took them.
CREATE TABLE alert (
    id INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    rule_version TEXT NOT NULL,
    -- 0: an MQTT topic. 1: a URL.
    kind INTEGER NOT NULL,
    target TEXT NOT NULL,
    qos INTEGER NOT NULL,
    retain INTEGER NOT NULL,
    body TEXT NOT NULL,
    begins INTEGER NOT NULL,
    reading INTEGER,
    cause TEXT NOT NULL,
    raised_at_micros INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    next_try_at_micros INTEGER NOT NULL,
    delivered_at_micros INTEGER,
    given_up_at_micros INTEGER,
    last_error TEXT
) STRICT;
CREATE INDEX alert_waiting ON alert (next_try_at_micros)
    WHERE delivered_at_micros IS NULL AND given_up_at_micros IS NULL;
